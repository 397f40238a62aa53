//! The checker: reads a question from right to left; a write answers all reads that wait.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::instruction::{self, Instruction, bit};

/// Checks the bits of all reads.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str) -> Result<Verdict> {
    let instructions = instruction::read(question)?;
    // From the last read to the first.
    let mut expected = Vec::new();
    let mut waiting = 0;
    for instruction in instructions.iter().rev() {
        match instruction {
            Instruction::Read => waiting += 1,
            Instruction::Ignore(_) => {}
            Instruction::Write(bit) => {
                expected.extend(std::iter::repeat_n(*bit, waiting));
                waiting = 0;
            }
        }
    }
    expected.reverse();
    Ok(match compare(&expected, answer) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn compare(expected: &[u8], answer: &str) -> Result<(), String> {
    let mut words = answer.split_whitespace();
    for (number, expected) in (1..).zip(expected) {
        let Some(word) = words.next() else {
            return Err(format!("read {number}: expected {expected}, found the end"));
        };
        let Some(found) = bit(word) else {
            return Err(format!("read {number}: expected a bit, 0 or 1, found `{}`", shorten(word)));
        };
        if found != *expected {
            return Err(format!("read {number}: expected {expected}, found {found}"));
        }
    }
    match words.next() {
        Some(word) => {
            let (count, bits) = (expected.len(), if expected.len() == 1 { "bit" } else { "bits" });
            Err(format!("expected {count} {bits} and no more, found `{}`", shorten(word)))
        }
        None => Ok(()),
    }
}
