//! Questions as text: the digits of two numbers, separated by spaces, with `+` between the numbers.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::settings::{First, Form};

/// The operands of a question, their digits in ascending order of places.
pub struct Question {
    /// The digits of both operands.
    pub operands: [Vec<u8>; 2],
}

impl Question {
    /// Digits of the longer operand.
    pub fn places(&self) -> usize {
        self.operands[0].len().max(self.operands[1].len())
    }
}

/// The digit that `word` stands for.
pub fn digit(word: &str) -> Option<u8> {
    match word.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

/// Reads a question. Positions of words are 1-based.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word.
pub fn read(text: &str, form: Form) -> Result<Question> {
    let mut words = (1..).zip(text.split_whitespace()).peekable();
    let mut end = 1;
    let mut operands = [Vec::new(), Vec::new()];
    for (place, operand) in operands.iter_mut().enumerate() {
        let start = end;
        while let Some((position, word)) = words.next_if(|(_, word)| place == 1 || *word != "+") {
            let Some(digit) = digit(word) else {
                let expected =
                    if place == 0 && position > start { "a digit from 0 to 9 or `+`" } else { "a digit from 0 to 9" };
                return Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))));
            };
            operand.push(digit);
            end = position + 1;
        }
        if operand.is_empty() {
            let found = words.peek().map_or("the end".to_owned(), |(_, word)| format!("`{word}`"));
            return Err(Error::malformed(end, format!("expected a digit from 0 to 9, found {found}")));
        }
        if !form.is_padded && operand.len() > 1 {
            let (leading, position) = match form.first {
                First::Most => (operand[0], start),
                First::Least => (operand[operand.len() - 1], end - 1),
            };
            if leading == 0 {
                return Err(Error::malformed(position, "expected a most significant digit from 1 to 9, found `0`"));
            }
        }
        if place == 0 {
            if words.next().is_none() {
                return Err(Error::malformed(end, "expected a digit from 0 to 9 or `+`, found the end"));
            }
            end += 1;
        }
        form.first.arrange(operand);
    }
    let [first, second] = [operands[0].len(), operands[1].len()];
    if form.is_padded && first != second {
        // At the first digit too many, or where one is missing.
        let position = first + 2 + first.min(second);
        let found = format!("found {second}");
        return Err(Error::malformed(
            position,
            format!("expected {first} digits after `+`, as many as before it, {found}"),
        ));
    }
    Ok(Question { operands })
}
