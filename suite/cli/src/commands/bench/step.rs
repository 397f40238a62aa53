//! `haltbench bench step`.

use std::path::PathBuf;

use haltbench_engine::bench::step::{self, StepReport};

use super::model::ModelArguments;
use crate::failure::Failure;
use crate::output;

/// Time a training step: forward, backward, clipping, AdamW
///
/// `flops` counts the operations needed for the exact loss and gradients; `share_of_peak` relates their rate to the
/// rate of the fastest matrix product of the same run.
#[derive(Debug, clap::Args)]
pub struct StepArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Recompute the core's steps in the backward pass instead of keeping their activations
    #[arg(long)]
    recompute: bool,
    /// Write weights, inputs, losses and gradients of one step to this folder instead of timing it
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
}

/// Takes the timing.
///
/// # Errors
/// If a size does not fit or the step fails.
pub fn run(arguments: &StepArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    if let Some(folder) = &arguments.dump {
        arguments.model.with(plugins, arguments.recompute, |bench| Ok(step::dump(&bench, folder)?))?;
        return Ok(0);
    }
    let repetitions = usize::from(arguments.model.repetitions);
    let report = arguments.model.with(plugins, arguments.recompute, |bench| Ok(step::measure(&bench, repetitions)?))?;
    output::report(&report, arguments.model.json, text)?;
    Ok(0)
}

fn text(report: &StepReport) -> String {
    let time = &report.time;
    format!(
        "training step, {} threads: {:.1} ms (quartiles {:.1} to {:.1}, {} repetitions), {:.0} tokens/s\n\
         {:.2} GFLOP needed ({:.2} with all rows in all steps), mean depth {:.2} of {}\n\
         {:.1} GFLOP/s, {:.0} % of the fastest matrix product here ({:.1} GFLOP/s)\n",
        report.threads,
        time.median_ms,
        time.lower_quartile_ms,
        time.upper_quartile_ms,
        time.repetitions,
        report.tokens_per_second,
        report.flops / 1e9,
        report.dense_flops / 1e9,
        report.drawn_mean_depth,
        report.workload.depth,
        report.flops / time.median_ms / 1e6,
        100.0 * report.share_of_peak,
        report.matmul_peak / 1e9,
    )
}
