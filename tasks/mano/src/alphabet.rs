//! The symbols of an expression and their words.

use haltbench_sdk::error::shorten;
use haltbench_sdk::text::{Label, Text};
use haltbench_sdk::{Error, Result};

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// Sum.
    Add,
    /// Difference, left minus right.
    Subtract,
    /// Product.
    Multiply,
}

impl Operator {
    /// All operators, in vocabulary order.
    pub const ALL: [Self; 3] = [Self::Add, Self::Subtract, Self::Multiply];

    /// The word of this operator.
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
        }
    }

    /// Its index in [`ALL`](Self::ALL).
    pub fn index(self) -> u32 {
        self as u32
    }

    /// `left` operator `right` modulo `modulus`; both are residues.
    pub fn apply(self, left: u32, right: u32, modulus: u32) -> u32 {
        // Residues are below 1000, so nothing overflows. Masks select the result, because a branch on random operators
        // would be mispredicted.
        let [sum, difference, product] = [left + right, left + modulus - right, left * right];
        let mask = |operator: Self| u32::from(self == operator).wrapping_neg();
        let value = sum & mask(Self::Add) | difference & mask(Self::Subtract) | product & mask(Self::Multiply);
        value % modulus
    }
}

/// One symbol of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// An operator.
    Operator(Operator),
    /// A residue.
    Operand(u32),
}

impl Symbol {
    /// Its id: operators first, in use or not, then residues, which are below 1000.
    pub fn number(self) -> u16 {
        match self {
            Self::Operator(operator) => operator.index() as u16,
            Self::Operand(value) => Operator::ALL.len() as u16 + value as u16,
        }
    }
}

/// The symbols that a task uses. Tokens are the markers, then the symbols by number.
#[derive(Debug, Clone)]
pub struct Alphabet {
    /// Values are residues modulo this number.
    pub modulus: u32,
    /// The operators in use: at least one, in vocabulary order.
    pub operators: Vec<Operator>,
}

impl Alphabet {
    /// The vocabulary: the markers, every operator (in use or not, so that vocabularies agree) and every residue.
    pub fn vocabulary(&self, markers: &[&'static str]) -> Vec<String> {
        let operators = Operator::ALL.into_iter().map(Operator::word);
        let words = markers.iter().copied().chain(operators).map(str::to_owned);
        words.chain((0..self.modulus).map(|value| value.to_string())).collect()
    }

    /// The residue that `word` stands for, if it is written as in the vocabulary (no sign, no leading zero).
    pub fn residue(&self, word: &str) -> Option<u32> {
        number(word).and_then(|value| u32::try_from(value).ok()).filter(|value| *value < self.modulus)
    }

    /// Reads one word of a question; `position` is 1-based.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the task has no such word.
    pub fn read(&self, word: &str, position: usize) -> Result<Symbol> {
        if let Some(operator) = Operator::ALL.into_iter().find(|operator| operator.word() == word) {
            if self.operators.contains(&operator) {
                return Ok(Symbol::Operator(operator));
            }
            let message = format!("expected an operator out of {}, found `{word}`", self.operator_words());
            return Err(Error::malformed(position, message));
        }
        if let Some(value) = self.residue(word) {
            return Ok(Symbol::Operand(value));
        }
        let last = self.modulus - 1;
        let expected = match number(word) {
            Some(_) => format!("a number from 0 to {last}"),
            None => format!("an operator out of {} or a number from 0 to {last}", self.operator_words()),
        };
        Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))))
    }

    fn operator_words(&self) -> String {
        self.operators.iter().map(|operator| format!("`{}`", operator.word())).collect::<Vec<_>>().join(" ")
    }
}

/// A decimal number without sign or leading zero; saturates if it exceeds 64 bits.
fn number(word: &str) -> Option<u64> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty();
    let padded = word.len() > 1 && word.starts_with('0');
    (plain && !padded).then(|| word.parse().unwrap_or(u64::MAX))
}

/// Replaces `words` by the words of `tokens`, separated by spaces; `labels` are the vocabulary's.
pub fn render(tokens: &[u32], labels: &[Label], words: &mut String) {
    let mut text = Text::over(words, tokens.len());
    text.labels(tokens.iter().map(|token| &labels[*token as usize]));
    *words = text.finish();
}
