//! Addition of two numbers, written from either end.
//!
//! Three paths compute a sum, each with its own algorithm: the generator carries from place to place, the solver adds
//! limbs of nine digits, the checker subtracts the second number from the answer.

mod check;
mod columns;
mod guess;
mod question;
mod settings;
mod solve;
mod sum;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
