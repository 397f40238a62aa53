//! Questions as text: the number of hops, if it is printed, then the letters.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::settings::Settings;

/// The answer where hops cannot be taken.
pub const NONE: &str = "<none>";

/// A parsed question.
pub struct Question {
    /// Hops asked for.
    pub asked: usize,
    /// The letters.
    pub letters: Vec<usize>,
}

/// The word of a letter.
pub fn word(letter: usize) -> char {
    char::from(b'a' + letter as u8)
}

/// Reads a question. Positions of words are 1-based.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word.
pub fn read(text: &str, settings: &Settings) -> Result<Question> {
    let mut words = (1..).zip(text.split_whitespace());
    let refuse = |position: usize, expected: &str, found: Option<&str>| {
        let found = found.map_or("the end".to_owned(), |word| format!("`{}`", shorten(word)));
        Error::malformed(position, format!("expected {expected}, found {found}"))
    };
    let mut asked = settings.maximum_hops;
    if settings.is_printed {
        let word = words.next().map(|(_, word)| word);
        let plain = word
            .filter(|word| *word == "0" || word.bytes().all(|byte| byte.is_ascii_digit()) && !word.starts_with('0'));
        let number = plain.and_then(|word| word.parse().ok()).filter(|number| *number <= settings.maximum_hops);
        let expected = format!("a number of hops from 0 to {}", settings.maximum_hops);
        asked = number.ok_or_else(|| refuse(1, &expected, word))?;
    }
    let expected = format!("a letter from a to {}", word(settings.alphabet - 1));
    let mut letters = Vec::new();
    for (position, found) in words {
        let letter = match found.as_bytes() {
            [byte] => usize::from(byte.wrapping_sub(b'a')),
            _ => settings.alphabet,
        };
        if letter >= settings.alphabet {
            return Err(refuse(position, &expected, Some(found)));
        }
        if letters.last() == Some(&letter) {
            return Err(refuse(position, "a letter other than the one before", Some(found)));
        }
        letters.push(letter);
    }
    if letters.is_empty() {
        return Err(refuse(1 + usize::from(settings.is_printed), &expected, None));
    }
    Ok(Question { asked, letters })
}
