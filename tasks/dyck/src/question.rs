//! Questions as text: brackets, and `.` between them where words have one length.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::settings::Settings;

/// The token that is no bracket.
pub const FILLER: &str = ".";

/// A closing bracket of a question, which does not tell its kind.
pub const CLOSING: &str = ")";

/// A bracket of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// An opening bracket of this kind.
    Opening(usize),
    /// A closing bracket.
    Closing,
}

/// The word of an opening bracket.
pub fn opening(kind: usize, kinds: usize) -> String {
    if kinds == 1 { "(".to_owned() } else { format!("({}", kind + 1) }
}

/// The word of a closing bracket that tells its kind; an answer.
pub fn closing(kind: usize) -> String {
    format!("){}", kind + 1)
}

/// Reads a question: brackets that match, at most as deep as the task's.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word.
pub fn read(text: &str, settings: &Settings) -> Result<Vec<Symbol>> {
    let Settings { kinds, law, length, .. } = settings;
    let opens = match kinds {
        1 => "`(`".to_owned(),
        kinds => format!("an opening bracket from `(1` to `({kinds}`"),
    };
    let mut symbols = Vec::new();
    let (mut depth, mut end) = (0, 1);
    for (position, word) in (1..).zip(text.split_whitespace()) {
        end = position + 1;
        if word == FILLER && length.is_some() {
            continue;
        }
        let symbol = if word == CLOSING { Some(Symbol::Closing) } else { kind(word, *kinds).map(Symbol::Opening) };
        let (may_open, may_close) = (depth < law.depth, depth > 0);
        match symbol {
            Some(Symbol::Opening(_)) if may_open => depth += 1,
            Some(Symbol::Closing) if may_close => depth -= 1,
            _ => {
                let expected = match (may_open, may_close) {
                    (true, true) => format!("{opens} or `)`"),
                    (true, false) => opens,
                    _ => format!("`)` at the largest depth, {depth}"),
                };
                return Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))));
            }
        }
        symbols.extend(symbol);
    }
    if symbols.is_empty() {
        return Err(Error::malformed(end, format!("expected {opens}, found the end")));
    }
    if depth > 0 {
        return Err(Error::malformed(end, format!("expected {depth} more of `)`, found the end")));
    }
    Ok(symbols)
}

/// The kind of an opening bracket.
fn kind(word: &str, kinds: usize) -> Option<usize> {
    let number = word.strip_prefix('(')?;
    if kinds == 1 {
        return number.is_empty().then_some(0);
    }
    let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let number = number.parse::<usize>().ok().filter(|number| plain && *number <= kinds)?;
    number.checked_sub(1)
}
