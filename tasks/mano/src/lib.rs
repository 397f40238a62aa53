//! Modular arithmetic expressions: MANO in its prefix form and its postfix stream.
//!
//! Three paths compute values, and they share no evaluation order: the generator measures the tree it grew, the
//! solver reads a question from left to right, the checker reads it from right to left with arithmetic of its own.

mod alphabet;
mod check;
mod prefix;
mod settings;
mod solve;
mod stream;
#[cfg(test)]
mod tests;
mod tree;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(prefix::DECLARATION);
haltbench_sdk::register_task!(stream::DECLARATION);
