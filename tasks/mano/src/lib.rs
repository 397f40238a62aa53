//! Modular arithmetic expressions: MANO in its prefix form and its postfix stream.
//!
//! Three paths compute values, each in its own order of evaluation: the generator measures the tree that it grew, the
//! solver reads a question from left to right, the checker reads it from right to left with its own arithmetic.

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
