//! `haltbench doctor`: what this installation is, and what is wrong with it.

mod examination;
mod folder;
mod machine;
mod text;

use std::path::PathBuf;

use crate::failure::Failure;
use crate::output;
use examination::Examination;

/// Say what this installation is and what is wrong with it
///
/// Shows the version, the fingerprint that plugins must have, the folders that are searched and what was found there,
/// the processor, the memory, CUDA, and whether runs can be written. The exit status is 0 if all is well, 3 if a
/// plugin was refused, and 1 if something else is wrong.
#[derive(Debug, clap::Args)]
pub struct DoctorArguments {
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the examination; what is wrong is an exit status.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &DoctorArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let examination = Examination::new(plugins, &arguments.runs);
    output::report(&examination, arguments.json, text::render)?;
    Ok(examination.status)
}
