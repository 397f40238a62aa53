//! Answers as text.

use std::fmt::Write;
use std::ops::Range;

use haltbench_sdk::error::shorten;

use crate::input::Input;
use crate::published::{Layout, Row};

/// End of every answer.
pub const END: &str = "\n\n";

/// Writes a number as Python does: the shortest text that reads back as the same number, always with a point or an
/// exponent.
pub fn write_number(text: &mut String, number: f64) {
    let start = text.len();
    // Writing to a string cannot fail.
    let _ = write!(text, "{number:?}");
    if let Some(place) = text[start..].find('e') {
        // Rust writes 1e-5 and 1e16, Python 1e-05 and 1e+16.
        let exponent: i32 = text[start + place + 1..].parse().unwrap_or_default();
        text.truncate(start + place);
        let _ = write!(text, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
}

/// Appends the answer `entries` to `text`; returns the byte range of each entry.
pub fn write(text: &mut String, row: &Row, input: &Input, entries: &[i32]) -> Vec<Range<usize>> {
    let mut places = Vec::with_capacity(entries.len());
    let side = match row.layout {
        Layout::Matrix => entries.len().isqrt(),
        _ => entries.len(),
    };
    let keys = match input {
        Input::Keys(keys) if row.layout == Layout::Keys => Some(keys),
        _ => None,
    };
    let listed = match row.layout {
        Layout::Numbers(_) => 0,
        Layout::VectorAndNode => entries.len() - 1,
        _ => entries.len(),
    };
    for (place, entry) in entries.iter().enumerate() {
        let first_in_row = place < listed && place % side == 0;
        text.push_str(match (place, row.layout) {
            (0, Layout::Matrix) => "[[",
            (0, Layout::Numbers(_)) => "",
            (0, _) => "[",
            (_, Layout::Matrix) if first_in_row => "], [",
            (_, Layout::Numbers(_)) => ", ",
            _ if place == listed => "], ",
            _ => " ",
        });
        let start = text.len();
        match keys {
            Some(keys) => write_number(text, keys[*entry as usize]),
            None => {
                let _ = write!(text, "{entry}");
            }
        }
        places.push(start..text.len());
    }
    text.push_str(match row.layout {
        Layout::Matrix => "]]",
        Layout::Vector | Layout::Keys => "]",
        Layout::Numbers(_) | Layout::VectorAndNode => "",
    });
    text.push_str(END);
    places
}

/// Reads an answer to a question with `count` entries.
///
/// # Errors
/// Why the answer is malformed.
pub fn read(text: &str, row: &Row, count: usize) -> Result<Vec<f64>, String> {
    let side = if row.layout == Layout::Matrix { count.isqrt() } else { count };
    let mut rest = text.trim();
    let mut entries = Vec::with_capacity(count);
    for place in 0..count {
        let before = match (place, row.layout) {
            (0, Layout::Matrix) => "[[",
            (0, Layout::Numbers(_)) => "",
            (0, _) => "[",
            (_, Layout::Matrix) if place % side == 0 => "], [",
            (_, Layout::Numbers(_)) => ", ",
            (_, Layout::VectorAndNode) if place + 1 == count => "], ",
            _ => " ",
        };
        let at = || format!("entry {} of {count}", place + 1);
        rest = rest.strip_prefix(before).ok_or_else(|| format!("expected `{before}` before {}", at()))?;
        let end = rest.find([' ', ']', ',', '\n']).unwrap_or(rest.len());
        let word = &rest[..end];
        let number = if row.layout == Layout::Keys { finite(word) } else { whole(word) };
        entries.push(number.ok_or_else(|| format!("{}: expected a number, found `{}`", at(), shorten(word)))?);
        rest = &rest[end..];
    }
    let after = match row.layout {
        Layout::Matrix => "]]",
        Layout::Vector | Layout::Keys => "]",
        Layout::Numbers(_) | Layout::VectorAndNode => "",
    };
    if rest != after {
        return Err(format!("expected the end after {count} entries, found `{}`", shorten(rest)));
    }
    Ok(entries)
}

/// A number with a point or an exponent.
pub fn finite(word: &str) -> Option<f64> {
    let written = word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte));
    word.parse().ok().filter(|number: &f64| written && number.is_finite())
}

/// A whole number without plus sign or leading zeros.
pub fn whole(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    word.parse::<i32>().ok().filter(|_| plain).map(f64::from)
}
