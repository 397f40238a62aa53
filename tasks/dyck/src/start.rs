//! Number of brackets that determine a word's problem. Words share their first brackets, so training holds out whole
//! starts, which must be long enough for many different ones.

use crate::law::Law;

/// Largest share of words with the same start.
const GREATEST_SHARE: f64 = 1.0 / 200.0;

/// Pairs by which every word is longer than the start, at least: brackets after the start are graded.
const PAIRS_AFTER: usize = 2;

/// The start of words.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Its number of brackets.
    pub brackets: usize,
    /// Pairs of the smallest word.
    pub smallest: usize,
}

impl Start {
    /// The shortest start that no larger share of the words of a size has in common, at any size up to `largest` pairs.
    pub fn new(law: &Law, kinds: usize, largest: usize) -> Self {
        let mut start = Self { brackets: 2, smallest: 1 + PAIRS_AFTER };
        let is_frequent = |start: Self| {
            let mut sizes = start.smallest..=largest;
            sizes.any(|size| greatest_share(law, kinds, start.brackets, size) > GREATEST_SHARE)
        };
        while is_frequent(start) {
            start = Self { brackets: start.brackets + 2, smallest: start.smallest + 1 };
        }
        start
    }
}

/// The probability of the likeliest start of words of `size` pairs.
fn greatest_share(law: &Law, kinds: usize, brackets: usize, size: usize) -> f64 {
    // For every depth the likeliest start that ends there.
    let mut share = vec![0.0; law.depth + 1];
    share[0] = 1.0;
    for place in 0..brackets {
        let mut next = vec![0.0_f64; law.depth + 1];
        for (at, share) in share.iter().enumerate() {
            let open = law.open(2 * size - place, at);
            if at < law.depth {
                next[at + 1] = next[at + 1].max(share * open / kinds as f64);
            }
            if at > 0 {
                next[at - 1] = next[at - 1].max(share * (1.0 - open));
            }
        }
        share = next;
    }
    share.into_iter().fold(0.0, f64::max)
}
