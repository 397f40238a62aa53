//! Random words of brackets.

use haltbench_sdk::random::Draws;

use crate::settings::Settings;

/// A bracket of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bracket {
    /// Whether it opens a pair.
    pub is_opening: bool,
    /// Kind of its pair.
    pub kind: usize,
    /// Brackets open after it.
    pub depth: usize,
    /// For a closing bracket the place of its opening one among all brackets, for an opening one its own.
    pub opener: usize,
}

impl Bracket {
    /// Number of pairs around its own, and its own.
    pub fn level(&self) -> usize {
        self.depth + usize::from(!self.is_opening)
    }
}

/// A word of brackets, perhaps with tokens between them that are none.
pub struct Word {
    /// The brackets.
    pub brackets: Vec<Bracket>,
    /// The places of the brackets, ascending.
    pub places: Vec<usize>,
    /// Number of tokens.
    pub length: usize,
}

impl Word {
    /// Draws a word of `size` pairs.
    pub fn draw(size: usize, settings: &Settings, draws: &mut Draws) -> Self {
        let mut brackets: Vec<Bracket> = Vec::with_capacity(2 * size);
        let mut open: Vec<usize> = Vec::with_capacity(size);
        for place in 0..2 * size {
            let is_opening = draws.uniform() < settings.law.open(2 * size - place, open.len());
            // A word never closes more than it opened: at depth 0 the next bracket surely opens.
            let opener = if is_opening { place } else { open.pop().unwrap_or(place) };
            let kind = if is_opening { draws.below(settings.kinds) } else { brackets[opener].kind };
            if is_opening {
                open.push(place);
            }
            brackets.push(Bracket { is_opening, kind, depth: open.len(), opener });
        }
        let Some(length) = settings.length else {
            return Self { brackets, places: (0..2 * size).collect(), length: 2 * size };
        };
        let mut places = Vec::with_capacity(2 * size);
        for place in 0..length {
            // Every set of places is equally likely.
            if draws.below(length - place) < 2 * size - places.len() {
                places.push(place);
            }
        }
        Self { brackets, places, length }
    }
}
