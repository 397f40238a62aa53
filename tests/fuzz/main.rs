//! Files and questions with mistakes that nobody thought of: every reader answers or refuses, in bounded time and memory.
//!
//! Valid inputs are mutated: bits flipped, pieces cut out, repeated or exchanged, and nasty values put in. Cases are the
//! same in every run; `HALTBENCH_FUZZ=N` makes N times as many. What was found this way stands in `found`.

use haltbench_sdk_dylib as _;

mod checkpoints;
mod found;
mod grammars;
mod harness;
mod libraries;
mod mutation;
mod questions;
mod suites;
mod tables;
mod traces;
