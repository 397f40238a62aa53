//! The grammars that ship with the crate.

use haltbench_sdk::{Error, Result};

use crate::grammar::Grammar;
use crate::notation;

/// Name and text of every grammar.
const TEXTS: [(&str, &str); 5] = [
    ("cfg3b", include_str!("../grammars/cfg3b.txt")),
    ("cfg3f", include_str!("../grammars/cfg3f.txt")),
    ("cfg3j", include_str!("../grammars/cfg3j.txt")),
    ("cfg3k", include_str!("../grammars/cfg3k.txt")),
    ("toy", include_str!("../grammars/toy.txt")),
];

/// Names of the grammars.
pub const NAMES: [&str; TEXTS.len()] = {
    let mut names = [""; TEXTS.len()];
    let mut place = 0;
    while place < TEXTS.len() {
        names[place] = TEXTS[place].0;
        place += 1;
    }
    names
};

/// The grammar with this name.
///
/// # Errors
/// [`Error::Unknown`] with the nearest name.
pub fn grammar(name: &str) -> Result<Grammar> {
    let text = TEXTS.iter().find(|(known, _)| *known == name);
    let (_, text) = text.ok_or_else(|| Error::unknown("grammar", name, NAMES))?;
    notation::read(&format!("grammar {name}"), text)
}
