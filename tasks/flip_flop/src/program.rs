//! A program with the bits of its instructions, as it is generated.

use haltbench_sdk::random::Stream;

use crate::instruction::Operation;

/// Operations and their bits; the bit of a read is the stored one.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The operations: a write first, a read last.
    pub operations: Vec<Operation>,
    /// The bit after each of them.
    pub bits: Vec<u8>,
}

impl Program {
    /// Draws the bits: uniform, but for those of reads.
    pub fn draw_bits(&mut self, stream: &mut Stream) {
        let mut stored = 0;
        self.bits.clear();
        for operation in &self.operations {
            let bit = if *operation == Operation::Read { stored } else { stream.below(2) as u8 };
            if *operation == Operation::Write {
                stored = bit;
            }
            self.bits.push(bit);
        }
    }

    /// Operations with their bits.
    pub fn iter(&self) -> impl Iterator<Item = (Operation, u8)> + '_ {
        self.operations.iter().copied().zip(self.bits.iter().copied())
    }
}
