//! `haltbench trace`: writes a trace of a finished cell.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use haltbench_engine::monitor::{Monitor, Stage};
use haltbench_engine::plan::MODELS;
use haltbench_engine::plugins;
use haltbench_engine::store::{RunFolder, TrainingLine};
use haltbench_engine::trace::Contents;
use haltbench_engine::worker::trace_cell;
use haltbench_sdk::Error;

use crate::failure::Failure;
use crate::output;
use crate::signals;

/// Record every step of a finished cell's evaluation
///
/// Runs all D steps of every token without halting, and writes states and logits after each step, targets, positions,
/// complexities and the policy's weights. `haltbench replay` replays policies on the file; docs/traces.md describes its
/// format.
#[derive(Debug, clap::Args)]
pub struct TraceArguments {
    /// Identifier of the cell: the name of its folder
    #[arg(value_name = "CELL")]
    cell: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write states; without --states and --logits, both are written
    #[arg(long)]
    states: bool,
    /// Write logits
    #[arg(long)]
    logits: bool,
    /// Record the first N instances of the evaluation only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    instances: Option<u32>,
    /// Name of the suite that the cell belongs to, if several suites have it
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
}

struct Signalled(Arc<AtomicI32>);

impl Monitor for Signalled {
    fn progress(&self, _: Stage, _: u64, _: u64, _: Option<&TrainingLine>) {}

    fn interrupted(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

/// Writes the trace.
///
/// # Errors
/// If there is no such cell, it is not done, or the file cannot be written.
pub fn run(arguments: &TraceArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let run = find(arguments)?;
    let stop = signals::watch(signals::PATIENCE, signals::exit_now)?;
    let (catalogue, _) = plugins::catalogue(plugin_files)?;
    let all = !arguments.states && !arguments.logits;
    let contents = Contents { states: all || arguments.states, logits: all || arguments.logits };
    let most = arguments.instances.map(|most| most as usize);
    let wanted = (arguments.out.as_path(), contents, most);
    let recorded = trace_cell((&run, &arguments.cell), &catalogue, &arguments.device, wanted, &Signalled(stop))?;
    let (sequences, tokens, steps) = (recorded.sequences, recorded.tokens, recorded.max_depth);
    let file = arguments.out.display();
    output::print(&format!("{file}: {sequences} sequences, {tokens} tokens, {steps} steps\n"))?;
    Ok(0)
}

/// The suite's folder that holds the cell.
fn find(arguments: &TraceArguments) -> Result<RunFolder, Failure> {
    let TraceArguments { cell, suite, runs, .. } = arguments;
    let names = |folder: &PathBuf| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let suites: Vec<String> = names(runs)
        .into_iter()
        .filter(|name| name != MODELS && suite.as_ref().is_none_or(|suite| suite == name))
        .collect();
    let has_it = |name: &&String| !cell.is_empty() && runs.join(name).join(cell).join("plan.toml").is_file();
    let holders: Vec<&String> = suites.iter().filter(has_it).collect();
    match holders[..] {
        [name] => Ok(RunFolder::new(runs, name)),
        [] => {
            let known: Vec<String> = suites.iter().flat_map(|name| names(&runs.join(name))).collect();
            let place = suite.as_ref().map_or_else(|| runs.clone(), |suite| runs.join(suite));
            let error = Error::unknown("cell", cell, known.iter().map(String::as_str));
            Err(Failure::usage(format!("{}: {error}", place.display())))
        }
        _ => {
            let several: Vec<&str> = holders.iter().map(|name| name.as_str()).collect();
            let message = format!("cell {cell}: expected --suite with one of {}, found none", several.join(", "));
            Err(Failure::usage(message))
        }
    }
}
