//! A guess that reads no instruction.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

/// The bit right before the read.
pub fn preceding_bit() -> impl Guess {
    RandomValid {
        name: "preceding-bit",
        documentation: "The bit right before the read, whatever its instruction.",
        choices: |instance: &Instance| {
            let answers = (2..instance.tokens.len()).filter(|token| instance.loss_mask[*token]);
            answers.map(|token| vec![instance.tokens[token - 2]]).collect()
        },
    }
}
