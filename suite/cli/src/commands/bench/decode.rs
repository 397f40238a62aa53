//! `haltbench bench decode`.

use std::path::PathBuf;

use haltbench_engine::bench::decode::{self, DecodeReport};

use super::model::ModelArguments;
use crate::failure::Failure;
use crate::output;

/// Time cached greedy decoding, with halting and with all tokens at all steps
///
/// Every sequence has a prompt of --length tokens and gets --new more. The policy is asked as usual, but tokens halt at
/// depths drawn with --mean-depth.
#[derive(Debug, clap::Args)]
pub struct DecodeArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// New tokens of each sequence
    #[arg(long, value_name = "N", default_value_t = 32)]
    new: usize,
}

/// Takes the timing.
///
/// # Errors
/// If a size does not fit, the policy cannot be decoded, or a run fails.
pub fn run(arguments: &DecodeArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let (new, repetitions) = (arguments.new, usize::from(arguments.model.repetitions));
    let report = arguments.model.with(plugins, false, |bench| Ok(decode::measure(&bench, new, repetitions)?))?;
    output::report(&report, arguments.model.json, text)?;
    Ok(0)
}

fn text(report: &DecodeReport) -> String {
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    format!(
        "decoding {} new tokens after {} each of {} sequences, {} threads: {:.1} ms (quartiles {:.1} to {:.1}, {} repetitions), \
         {:.1} ms with all steps, {:.0} new tokens/s\n\
         mean depth {:.2} of {}: {:.1} % is what is commonly claimed, {:.1} % of the operations remain, {:.1} % of the time\n\
         keys and values: {:.2} MB held, {:.2} MB with an entry for every step, {:.1} %\n\
         {:.0} % of the fastest matrix product here ({:.1} GFLOP/s)\n",
        report.new,
        report.workload.length,
        report.workload.batch,
        report.threads,
        report.time.median_ms,
        report.time.lower_quartile_ms,
        report.time.upper_quartile_ms,
        report.time.repetitions,
        report.dense.median_ms,
        report.tokens_per_second,
        report.drawn_mean_depth,
        report.workload.depth,
        100.0 * report.claimed_share,
        100.0 * report.ideal_share,
        100.0 * report.measured_share,
        megabytes(report.cache.held_bytes),
        megabytes(report.cache.dense_bytes),
        100.0 * report.cache_share,
        100.0 * report.share_of_peak,
        report.matmul_peak / 1e9,
    )
}
