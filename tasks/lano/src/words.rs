//! Strings as words.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::grammar::{Grammar, Terminal};

/// The terminals of a question.
///
/// # Errors
/// [`Error::Malformed`] at the first word that is not a terminal.
pub fn read(grammar: &Grammar, question: &str) -> Result<Vec<Terminal>> {
    let words = question.split_whitespace().enumerate();
    words
        .map(|(index, word)| {
            let place = grammar.terminals().iter().position(|known| known == word);
            place.map(|place| place as Terminal).ok_or_else(|| {
                let message = format!("expected {}, found `{}`", alternatives(grammar), shorten(word));
                Error::malformed(index + 1, message)
            })
        })
        .collect()
}

/// The terminals as text, for messages.
fn alternatives(grammar: &Grammar) -> String {
    let words: Vec<String> = grammar.terminals().iter().map(|word| format!("`{word}`")).collect();
    format!("a terminal out of {}", words.join(" "))
}

/// The words of `string`, separated by spaces.
pub fn write(grammar: &Grammar, string: &[Terminal]) -> String {
    let words = string.iter().map(|terminal| grammar.terminals()[usize::from(*terminal)].as_str());
    words.collect::<Vec<_>>().join(" ")
}
