//! Induction over several hops.
//!
//! Three paths compute an answer, each with its own algorithm: the generator walks from every letter, the solver doubles
//! the function of one hop, the checker keeps the path to the root of the forest that the hops form.

mod chain;
mod check;
mod columns;
mod guess;
mod question;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
