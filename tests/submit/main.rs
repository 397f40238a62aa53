//! `haltbench plan`, and `haltbench submit` up to the engine: what it prints, and what its scripts do under a shell.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use haltbench_sdk_dylib as _;

mod place;
mod plan;
mod printed;
#[path = "../runs/program.rs"]
mod program;
mod real;
mod scripts;
mod slurm;
mod stopped;
