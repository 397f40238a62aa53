//! Random strings, and the chains of hops that begin at their letters.

use haltbench_sdk::random::Draws;

/// Draws a string of letters in which no two neighbours are equal; all such strings are equally likely.
pub fn draw(length: usize, alphabet: usize, draws: &mut Draws) -> Vec<usize> {
    let mut letters: Vec<usize> = Vec::with_capacity(length);
    for _ in 0..length {
        let letter = match letters.last() {
            None => draws.below(alphabet),
            Some(before) => {
                let other = draws.below(alphabet - 1);
                other + usize::from(other >= *before)
            }
        };
        letters.push(letter);
    }
    letters
}

/// Where one hop leads from every place: behind the last earlier occurrence of the letter there; `None` without one.
pub fn hops(letters: &[usize], alphabet: usize) -> Vec<Option<usize>> {
    let mut last = vec![None; alphabet];
    let hop = |(place, letter): (usize, &usize)| last[*letter].replace(place).map(|earlier: usize| earlier + 1);
    letters.iter().enumerate().map(hop).collect()
}

/// A walk of up to a number of hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Hops taken.
    pub hops: usize,
    /// Where they end.
    pub end: usize,
}

impl Walk {
    /// The walk of at most `most` hops from a place.
    pub fn from(place: usize, most: usize, hops: &[Option<usize>]) -> Self {
        let mut walk = Self { hops: 0, end: place };
        while let Some(next) = hops[walk.end].filter(|_| walk.hops < most) {
            walk = Self { hops: walk.hops + 1, end: next };
        }
        walk
    }
}
