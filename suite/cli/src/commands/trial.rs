//! `haltbench trial`: opens libraries in this process. Every other command starts it before it opens any.

use std::path::PathBuf;

use haltbench_engine::plugins::trial;

use crate::failure::Failure;

/// Open plugins, to see whether a process survives it
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct TrialArguments {
    /// The libraries
    files: Vec<PathBuf>,
}

/// Opens the libraries.
///
/// # Errors
/// None.
pub fn run(arguments: &TrialArguments) -> Result<i32, Failure> {
    trial::perform(&arguments.files);
    Ok(0)
}
