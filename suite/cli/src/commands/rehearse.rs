//! `haltbench rehearse`: tries plans in this process. `haltbench run` starts it before anything is trained.

use std::io::{self, Write};
use std::path::PathBuf;

use haltbench_engine::plugins;
use haltbench_engine::rehearsal::{self, RehearsalLine, Trial};

use crate::failure::Failure;

/// Try plans, given as JSON on standard input, in this process
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct RehearseArguments {}

/// Prints progress as JSON lines.
///
/// # Errors
/// If standard input holds no plans or a plugin is refused.
pub fn run(RehearseArguments {}: &RehearseArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let trials: Vec<Trial> = serde_json::from_reader(io::stdin())
        .map_err(|error| Failure::usage(format!("standard input: expected plans as JSON: {error}")))?;
    let (catalogue, _) = plugins::catalogue(plugin_files)?;
    rehearsal::perform(&trials, &catalogue, &mut |line: &RehearsalLine| {
        if let Ok(text) = serde_json::to_string(line) {
            // Start a new line, in case a plugin has left one unfinished.
            let mut output = io::stdout();
            let _ = writeln!(output, "\n{text}").and_then(|()| output.flush());
        }
    });
    Ok(0)
}
