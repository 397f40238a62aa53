//! `haltbench doctor`: examines this installation.

mod examination;
mod folder;
mod machine;
mod text;

use std::path::PathBuf;

use crate::failure::Failure;
use crate::output;
use examination::Examination;

/// Examine this installation and report problems
///
/// Shows the version, the fingerprint that plugins must have, the folders that are searched and the plugins found
/// there, the processor, the memory, CUDA, and whether runs can be written. The exit status is 0 without problems, 3 if
/// a plugin was refused, and 1 for any other problem.
#[derive(Debug, clap::Args)]
pub struct DoctorArguments {
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the examination; problems determine the exit status.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &DoctorArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let examination = Examination::new(plugins, &arguments.runs);
    output::report(&examination, arguments.json, text::render)?;
    Ok(examination.status)
}
