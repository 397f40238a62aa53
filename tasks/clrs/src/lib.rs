//! CLRS-Text: thirty algorithms of "Introduction to Algorithms" as text, without traces.
//!
//! `solve` follows the benchmark step by step, because its conventions (ties, order of summation, orientation of
//! pointers) determine the answer, and its steps determine when each entry of the answer is settled. `check` finds the
//! answer, or the criterion for it, with other algorithms.

mod answer;
mod argsort;
mod check;
mod features;
mod finite;
mod guess;
mod input;
mod limits;
mod published;
mod question;
mod sample;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;
mod tokens;
mod trace;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
