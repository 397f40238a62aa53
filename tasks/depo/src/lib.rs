//! The k-th successor on a directed cycle: DEPO.
//!
//! Three paths compute an answer, each with its own algorithm: the generator counts places on the cycle that it drew,
//! the solver doubles the successor function, the checker walks the cycle backwards once and compares distances.

mod check;
mod columns;
mod cycle;
mod guess;
mod hops;
mod question;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
