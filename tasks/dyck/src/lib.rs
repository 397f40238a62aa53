//! Bracket words of bounded depth.
//!
//! Three paths compute an answer, each with its own algorithm: the generator knows the depths that it walked through, the
//! solver keeps a stack from left to right, the checker counts and matches brackets from right to left.

mod brackets;
mod check;
mod columns;
mod guess;
mod law;
mod question;
mod settings;
mod solve;
mod start;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
