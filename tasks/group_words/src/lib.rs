//! Word problems of finite groups: the running product of a sequence of elements.
//!
//! Three paths compute products, each with its own algorithm: the generator looks them up in the group's multiplication
//! table, the solver composes permutations in a parallel prefix scan, the checker follows every point through inverse
//! permutations, and residues by the Chinese remainder theorem.

mod check;
mod columns;
mod group;
mod guess;
mod question;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;
mod word;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
