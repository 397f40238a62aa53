//! Strings as words.

use haltbench_sdk::{Error, Result};

use crate::grammar::{Grammar, Terminal};

/// The terminal that `word` is.
pub fn terminal(grammar: &Grammar, word: &str) -> Option<Terminal> {
    grammar.terminals().iter().position(|known| known == word).map(|place| place as Terminal)
}

/// The terminals of a question up to the first word that is none, and the error if there is one.
pub fn read(grammar: &Grammar, question: &str) -> (Vec<Terminal>, Result<()>) {
    let mut string = Vec::new();
    for word in question.split_whitespace() {
        let Some(terminal) = terminal(grammar, word) else {
            let message = format!("expected {}, found `{}`", alternatives(grammar), shorten(word));
            return (string.clone(), Err(malformed(string.len() + 1, message)));
        };
        string.push(terminal);
    }
    (string, Ok(()))
}

/// A question that breaks off at token `position`.
pub fn malformed(position: usize, message: impl Into<String>) -> Error {
    Error::Malformed { text: "question", position, message: message.into() }
}

/// The terminals in words.
pub fn alternatives(grammar: &Grammar) -> String {
    let words: Vec<String> = grammar.terminals().iter().map(|word| format!("`{word}`")).collect();
    format!("a terminal out of {}", words.join(" "))
}

/// The words of `string`, separated by spaces.
pub fn write(grammar: &Grammar, string: &[Terminal]) -> String {
    let words = string.iter().map(|terminal| grammar.terminals()[usize::from(*terminal)].as_str());
    words.collect::<Vec<_>>().join(" ")
}

/// The start of a word, short enough for a message.
pub fn shorten(word: &str) -> String {
    let mut characters = word.chars();
    let head: String = characters.by_ref().take(24).collect();
    if characters.next().is_some() { format!("{head}…") } else { head }
}
