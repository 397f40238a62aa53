//! Several workers on one runs folder: they share the work, and end with the bytes of one run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use haltbench_sdk_dylib as _;

mod kills;
mod local;
#[path = "../runs/program.rs"]
mod program;
mod shares;
mod together;
mod worker;
