//! Instructions, their words, and questions as text.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

/// What is done with the bit in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The bit after it is stored.
    Write,
    /// The bit after it is the stored one.
    Read,
    /// The bit after it is a distractor.
    Ignore,
}

impl Operation {
    /// All operations, in vocabulary order.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Ignore];

    /// The word of this operation.
    pub fn word(self) -> &'static str {
        match self {
            Self::Write => "w",
            Self::Read => "r",
            Self::Ignore => "i",
        }
    }
}

/// An operation of a question, with its bit; a read has none, because it is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// Store this bit.
    Write(u8),
    /// Which bit is stored?
    Read,
    /// A distractor.
    Ignore(u8),
}

/// Reads a question: a write, then any instructions, at least one read among them.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word; positions are 1-based.
pub fn read(question: &str) -> Result<Vec<Instruction>> {
    let mut words = (1..).zip(question.split_whitespace());
    let mut instructions = Vec::new();
    let mut end = 1;
    let mut has_read = false;
    while let Some((position, word)) = words.next() {
        end = position + 1;
        let operation = Operation::ALL.into_iter().find(|operation| operation.word() == word);
        let is_first = instructions.is_empty();
        let Some(operation) = operation.filter(|operation| !is_first || *operation == Operation::Write) else {
            let expected = if is_first { "`w`" } else { "`w`, `r` or `i`" };
            return Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))));
        };
        if operation == Operation::Read {
            has_read = true;
            instructions.push(Instruction::Read);
            continue;
        }
        let Some((position, word)) = words.next() else {
            return Err(Error::malformed(end, format!("expected the bit of `{word}`, 0 or 1, found the end")));
        };
        end = position + 1;
        let Some(bit) = bit(word) else {
            return Err(Error::malformed(position, format!("expected a bit, 0 or 1, found `{}`", shorten(word))));
        };
        instructions.push(match operation {
            Operation::Write => Instruction::Write(bit),
            _ => Instruction::Ignore(bit),
        });
    }
    if !has_read {
        return Err(Error::malformed(end, "expected a read, `r`, found the end"));
    }
    Ok(instructions)
}

/// The bit that `word` stands for.
pub fn bit(word: &str) -> Option<u8> {
    match word {
        "0" => Some(0),
        "1" => Some(1),
        _ => None,
    }
}
