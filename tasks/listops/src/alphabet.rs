//! The symbols of an expression and their words.

use haltbench_sdk::error::shorten;
use haltbench_sdk::text::{Label, Text};
use haltbench_sdk::{Error, Result};

/// An operator over a list of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The smallest digit.
    Minimum,
    /// The largest digit.
    Maximum,
    /// The median; of an even number of digits the mean of the middle two, rounded down.
    Median,
    /// The sum modulo 10.
    Sum,
}

impl Operator {
    /// All operators, in vocabulary order.
    pub const ALL: [Self; 4] = [Self::Minimum, Self::Maximum, Self::Median, Self::Sum];

    /// The name of this operator in parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimum => "MIN",
            Self::Maximum => "MAX",
            Self::Median => "MED",
            Self::Sum => "SM",
        }
    }

    /// The word that opens a list of its arguments.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minimum => "[MIN",
            Self::Maximum => "[MAX",
            Self::Median => "[MED",
            Self::Sum => "[SM",
        }
    }

    /// Its index in [`ALL`](Self::ALL).
    pub fn index(self) -> u32 {
        self as u32
    }
}

/// One symbol of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// A closing bracket.
    Close,
    /// An opening bracket with its operator.
    Open(Operator),
    /// A digit, below 10.
    Digit(u8),
}

/// The word of [`Symbol::Close`].
pub const CLOSE: &str = "]";

impl Symbol {
    /// Its id: the closing bracket, then the operators, in use or not, then the digits.
    pub fn number(self) -> u32 {
        match self {
            Self::Close => 0,
            Self::Open(operator) => 1 + operator.index(),
            Self::Digit(value) => 1 + Operator::ALL.len() as u32 + u32::from(value),
        }
    }
}

/// The vocabulary: the markers, then the symbols by number.
pub fn vocabulary(markers: &[&'static str]) -> Vec<String> {
    let symbols = [CLOSE].into_iter().chain(Operator::ALL.into_iter().map(Operator::word));
    let words = markers.iter().copied().chain(symbols).map(str::to_owned);
    words.chain((0..10).map(|digit: u8| digit.to_string())).collect()
}

/// The digit that `word` stands for.
pub fn digit(word: &str) -> Option<u8> {
    match word.as_bytes() {
        [byte @ b'0'..=b'9'] => Some(byte - b'0'),
        _ => None,
    }
}

/// The operators that a task uses: at least one, in vocabulary order.
#[derive(Debug, Clone)]
pub struct Operators(pub Vec<Operator>);

impl Operators {
    /// Reads one word of a question; `position` is 1-based.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the task has no such word.
    pub fn read(&self, word: &str, position: usize) -> Result<Symbol> {
        if word == CLOSE {
            return Ok(Symbol::Close);
        }
        if let Some(value) = digit(word) {
            return Ok(Symbol::Digit(value));
        }
        match self.0.iter().find(|operator| operator.word() == word) {
            Some(operator) => Ok(Symbol::Open(*operator)),
            None => {
                let message = format!("expected {}, a digit or `]`, found `{}`", self.expected(), shorten(word));
                Err(Error::malformed(position, message))
            }
        }
    }

    /// The operators in words.
    pub fn expected(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|operator| format!("`{}`", operator.word())).collect();
        format!("an operator out of {}", words.join(" "))
    }
}

/// Replaces `words` by the words of `tokens`, separated by spaces; `labels` are the vocabulary's.
pub fn render(tokens: &[u32], labels: &[Label], words: &mut String) {
    let mut text = Text::over(words, tokens.len());
    text.labels(tokens.iter().map(|token| &labels[*token as usize]));
    *words = text.finish();
}
