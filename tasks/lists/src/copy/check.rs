//! The checker: takes list and answer apart from their ends.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::elements::Elements;
use crate::question;

/// Checks a copy.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, elements: Elements) -> Result<Verdict> {
    let mut list = question::read(question, elements)?;
    let mut words: Vec<&str> = answer.split_whitespace().collect();
    if words.len() != list.len() {
        return Ok(Verdict::wrong(format!("expected {} elements, found {}", list.len(), words.len())));
    }
    while let (Some(expected), Some(word)) = (list.pop(), words.pop()) {
        let number = words.len() + 1;
        match elements.read(word) {
            Some(found) if found == expected => {}
            Some(_) => {
                return Ok(Verdict::wrong(format!("element {number}: expected {}, found {word}", expected + 1)));
            }
            None => {
                let found = shorten(word);
                let reason = format!("element {number}: expected {}, found `{found}`", elements.expected());
                return Ok(Verdict::wrong(reason));
            }
        }
    }
    Ok(Verdict::valid())
}
