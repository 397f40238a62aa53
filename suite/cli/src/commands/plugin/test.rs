//! `haltbench plugin test`: runs the tests of a plugin.

use std::path::PathBuf;
use std::process::Command;

use haltbench_engine::plugins::build::Purpose;

use super::build::source;
use crate::failure::Failure;
use crate::sources;

/// Run the tests of a plugin's library
///
/// These are the functions with #[test] in its sources. The exit status is 1 if one fails.
#[derive(Debug, clap::Args)]
pub struct TestArguments {
    /// Folder of a crate, or a file of Rust
    #[arg(value_name = "DIR|FILE.rs")]
    path: PathBuf,
    /// Arguments of the test program, such as part of a test's name
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds the tests and runs them.
///
/// # Errors
/// If they do not compile.
pub fn run(arguments: &TestArguments) -> Result<i32, Failure> {
    let built = sources::build(&source(&arguments.path)?, Purpose::Test)?;
    let status = Command::new(&built.file)
        .args(&arguments.arguments)
        .status()
        .map_err(|error| Failure::usage(format!("{}: cannot be started: {error}", built.file.display())))?;
    Ok(i32::from(!status.success()))
}
