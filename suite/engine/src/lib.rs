//! The engine: recurrence, training, evaluation, checkpoints, plugin loading, run store, workers.
//!
//! A batch flows through [`batch`] (packing), [`recurrence`] (the loop), [`training`] (loss, optimiser, checkpoints)
//! or [`evaluation`] (compacted passes, tokens, measures; [`generation`] for tasks that are languages, [`guesses`]
//! beside them), and ends in the [`store`]. [`decoding`] appends tokens to prompts, [`trace`] writes and reads what a pass
//! computed at every step. A suite file becomes cells in
//! [`plan`]; [`worker`] runs one cell, [`scheduler`] runs all of them in processes of their own.

pub mod batch;
pub mod bench;
mod code;
pub mod costs;
pub mod data;
pub mod decoding;
pub mod device;
pub mod error;
mod estimate;
pub mod evaluation;
mod files;
pub mod forecast;
pub mod generation;
pub mod guesses;
pub mod host;
pub mod isolation;
pub mod ledger;
pub mod memory;
pub mod model;
pub mod monitor;
pub mod optimiser;
mod panics;
pub mod plan;
pub mod plugins;
pub mod process;
pub mod recurrence;
pub mod rehearsal;
mod safetensors_header;
pub mod scheduler;
pub mod store;
pub mod trace;
pub mod training;
pub mod worker;

pub use error::{Error, Result};
