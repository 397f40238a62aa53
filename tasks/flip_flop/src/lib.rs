//! A memory of one bit among distractors: the flip-flop language.
//!
//! Three paths find the bits that are read: the generator keeps the bit that it wrote, the solver reads a question from
//! left to right, the checker reads it from right to left and answers the reads that wait when it meets a write.

mod check;
mod columns;
mod guess;
mod instruction;
mod law;
mod program;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
