//! Invariants of the engine, for every policy in the catalogue and for miniatures of kinds and training schemes that
//! plugins may lack. Everything here runs through [`haltbench_engine`], as a cell does.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod acceptance;
mod backbone_costs;
mod backbones;
mod batches;
mod contract;
mod decoding;
mod evaluation;
mod first_gradients;
mod fixed;
mod generation;
mod guesses;
mod ids;
mod ledger;
mod miniatures;
mod processes;
mod random_matched;
mod recipes;
mod setup;
mod threads;
mod timings;
mod traces;
mod training;

use haltbench_sdk_dylib as _;
