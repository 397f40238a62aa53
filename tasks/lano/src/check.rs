//! The checker: question and answer together are a string of the language, by the Earley recogniser.

use haltbench_sdk::Result;
use haltbench_sdk::task::Verdict;

use crate::earley::{Finding, recognise};
use crate::grammar::Grammar;
use crate::words;

/// Checks a completion.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question has a word that is no terminal, or a start
/// that no string has.
pub fn completion(grammar: &Grammar, question: &str, answer: &str) -> Result<Verdict> {
    let (mut string, read) = words::read(grammar, question);
    let prefix = string.len();
    if let Finding::Stuck(place) = recognise(grammar, &string) {
        let found = &grammar.terminals()[usize::from(string[place])];
        let message = format!("no string of the language continues like this with `{found}`");
        return Err(words::malformed(place + 1, message));
    }
    read?;
    for (index, word) in answer.split_whitespace().enumerate() {
        let Some(terminal) = words::terminal(grammar, word) else {
            let expected = words::alternatives(grammar);
            let reason = format!("token {}: expected {expected}, found `{}`", index + 1, words::shorten(word));
            return Ok(Verdict::wrong(reason));
        };
        string.push(terminal);
    }
    Ok(match recognise(grammar, &string) {
        Finding::Complete => Verdict::valid(),
        Finding::Incomplete => Verdict::wrong("the string breaks off: no string of the language ends here"),
        Finding::Stuck(place) => {
            let found = &grammar.terminals()[usize::from(string[place])];
            let token = place + 1 - prefix;
            Verdict::wrong(format!("token {token}: no string of the language continues like this with `{found}`"))
        }
    })
}
