//! Nested list operations: ListOps with one answer, and with an answer at every closing bracket.
//!
//! Three paths compute values: the generator measures the tree that it grew, the solver sorts the arguments of a
//! question from left to right, the checker counts them from right to left.

mod alphabet;
mod check;
mod columns;
mod guess;
mod law;
mod sampler;
mod settings;
mod single;
mod solve;
mod stream;
#[cfg(test)]
mod tests;
mod tree;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(single::DECLARATION);
haltbench_sdk::register_task!(stream::DECLARATION);
