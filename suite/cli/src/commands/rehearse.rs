//! `haltbench rehearse`: tries plans in this process. `haltbench run` starts it before anything is trained.

use std::io;
use std::path::PathBuf;

use haltbench_engine::plugins;
use haltbench_engine::process;
use haltbench_engine::rehearsal::{self, RehearsalLine, Trial};

use crate::failure::Failure;
use crate::isolate;

/// Try plans, given as JSON on standard input, in this process
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct RehearseArguments {
    /// Isolate this process as far as the system allows
    #[arg(long)]
    isolate: bool,
    /// Where the plans will be computed: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Prints progress as JSON lines.
///
/// # Errors
/// If standard input holds no plans or a plugin is refused.
pub fn run(arguments: &RehearseArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let unreadable = |error| Failure::usage(format!("standard input: expected plans as JSON: {error}"));
    let plans: serde_json::Value = serde_json::from_reader(io::stdin()).map_err(unreadable)?;
    if arguments.isolate {
        let missing = isolate::enter(plugin_files, &plans, &[], &[], &arguments.device);
        process::say(&RehearsalLine::Open(missing));
    }
    let trials: Vec<Trial> = serde_json::from_value(plans).map_err(unreadable)?;
    let (catalogue, _) = plugins::catalogue(plugin_files)?;
    rehearsal::perform(&trials, &catalogue, &mut |line| process::say(line));
    Ok(0)
}
