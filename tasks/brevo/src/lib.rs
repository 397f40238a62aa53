//! Ancestors of a node of a random DAG, in topological order: BREVO.
//!
//! Three paths compute an answer, each with its own algorithm: the generator walks the arrays of the graph that it
//! grew, the solver walks the names of a question depth first, the checker closes the set of ancestors edge by edge and
//! restarts from the query for every node of the answer.

mod check;
mod columns;
mod graph;
mod guess;
mod measure;
mod order;
mod pair;
mod question;
mod settings;
mod solve;
mod task;
#[cfg(test)]
mod tests;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(task::DECLARATION);
