//! The solver: reads a question from left to right and keeps the bit that was written last.

use haltbench_sdk::Result;

use crate::instruction::{self, Instruction};

/// The bits of all reads, in order.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first invalid word.
pub fn answer(question: &str) -> Result<String> {
    let mut stored = 0;
    let mut bits = Vec::new();
    for instruction in instruction::read(question)? {
        match instruction {
            Instruction::Write(bit) => stored = bit,
            Instruction::Read => bits.push(if stored == 0 { "0" } else { "1" }),
            Instruction::Ignore(_) => {}
        }
    }
    Ok(bits.join(" "))
}
