//! The checker: goes through the brackets from right to left. What closes there opens further left, so the depth after a
//! bracket is the number of closing brackets behind it without the opening ones, and an opening bracket tells the kind of
//! the closing one that waits last.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::question::{self, Symbol, closing};
use crate::settings::Settings;

/// Checks the answers to a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, settings: &Settings) -> Result<Verdict> {
    let symbols = question::read(question, settings)?;
    let expected = if settings.kinds == 1 { depths(&symbols) } else { kinds(&symbols) };
    Ok(match compare(&expected, answer) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

/// An expected answer, and the bracket that it belongs to, from 1 on.
struct Expected {
    bracket: usize,
    word: String,
}

fn depths(symbols: &[Symbol]) -> Vec<Expected> {
    let (mut closings, mut openings) = (0, 0);
    let mut depths = Vec::with_capacity(symbols.len());
    for (place, symbol) in symbols.iter().enumerate().rev() {
        depths.push(Expected { bracket: place + 1, word: (closings - openings).to_string() });
        match symbol {
            Symbol::Closing => closings += 1,
            Symbol::Opening(_) => openings += 1,
        }
    }
    depths.reverse();
    depths
}

fn kinds(symbols: &[Symbol]) -> Vec<Expected> {
    let mut waiting = Vec::new();
    let mut found = Vec::new();
    for (place, symbol) in symbols.iter().enumerate().rev() {
        match symbol {
            Symbol::Closing => waiting.push(place + 1),
            Symbol::Opening(kind) => {
                let word = closing(*kind);
                found.extend(waiting.pop().map(|bracket| Expected { bracket, word }));
            }
        }
    }
    found.sort_by_key(|expected| expected.bracket);
    found
}

/// Whether `answer` lists exactly what is expected.
fn compare(expected: &[Expected], answer: &str) -> Result<(), String> {
    let mut words = answer.split_whitespace();
    for Expected { bracket, word } in expected {
        match words.next() {
            None => return Err(format!("bracket {bracket}: expected {word}, found the end")),
            Some(found) if found != word => {
                return Err(format!("bracket {bracket}: expected {word}, found {}", shorten(found)));
            }
            Some(_) => {}
        }
    }
    match words.next() {
        Some(word) => {
            let count = expected.len();
            let answers = if count == 1 { "answer" } else { "answers" };
            Err(format!("expected {count} {answers} and no more, found `{}`", shorten(word)))
        }
        None => Ok(()),
    }
}
