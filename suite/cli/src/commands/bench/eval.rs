//! `haltbench bench eval`.

use std::path::PathBuf;

use haltbench_engine::bench::eval::{self, EvalReport};

use super::model::ModelArguments;
use crate::failure::Failure;
use crate::output;

/// Time an evaluation, with halting and with all tokens at all steps
///
/// `efficiency` is the ratio of executed operations divided by the measured ratio of times; 1 is perfect. Decisions are
/// left out, because --mean-depth determines the depths.
#[derive(Debug, clap::Args)]
pub struct EvalArguments {
    #[command(flatten)]
    model: ModelArguments,
}

/// Takes the timing.
///
/// # Errors
/// If a size does not fit or a pass fails.
pub fn run(arguments: &EvalArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let repetitions = usize::from(arguments.model.repetitions);
    let report = arguments.model.with(plugins, false, |bench| Ok(eval::measure(&bench, repetitions)?))?;
    output::report(&report, arguments.model.json, text)?;
    Ok(0)
}

fn text(report: &EvalReport) -> String {
    format!(
        "evaluation, {} threads: {:.1} ms with halted tokens left out, {:.1} ms dense (medians of {}), {:.0} tokens/s\n\
         mean depth {:.2} of {}: {:.1} % is what is commonly claimed, {:.1} % of the operations remain, {:.1} % of the time\n\
         efficiency of leaving out: {:.2}; {:.0} % of the fastest matrix product here ({:.1} GFLOP/s)\n",
        report.threads,
        report.time.median_ms,
        report.dense.median_ms,
        report.time.repetitions,
        report.tokens_per_second,
        report.drawn_mean_depth,
        report.workload.depth,
        100.0 * report.claimed_share,
        100.0 * report.ideal_share,
        100.0 * report.measured_share,
        report.efficiency,
        100.0 * report.share_of_peak,
        report.matmul_peak / 1e9,
    )
}
