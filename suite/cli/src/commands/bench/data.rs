//! `haltbench bench data`.

use std::path::PathBuf;

use haltbench_engine::bench::data::{self, DataReport, DataWorkload};
use haltbench_engine::memory;
use haltbench_sdk::candle_core::utils::get_num_threads;

use crate::commands::task::{ConfiguredTask, TaskArguments};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::output;

/// Time the drawing of 1,000 instances with all complexities and features
///
/// Times are for 1,000 instances. `hash` covers everything in them and does not depend on the number of threads.
#[derive(Debug, clap::Args)]
pub struct DataArguments {
    #[command(flatten)]
    task: TaskArguments,
    /// Size of the instances, as the task defines it; omit it for tasks without a size
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    size: Option<u32>,
    /// Seed of the instances
    #[arg(long, value_name = "SEED", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Number of threads; by default all cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Number of timed repetitions
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Takes the timing.
///
/// # Errors
/// If the task, a parameter or the size is wrong.
pub fn run(arguments: &DataArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    // As in a training run, where instances reuse memory of earlier ones.
    memory::keep_freed();
    let task = arguments.task.build(plugins)?;
    let size = task.size(arguments.size)?;
    let ConfiguredTask { name, task } = task;
    let workload = DataWorkload { task: name.to_owned(), size, seed: arguments.seed };
    let threads = arguments.threads.map_or_else(get_num_threads, usize::from);
    let repetitions = usize::from(arguments.repetitions);
    let report =
        guarded(name, || -> Result<_, Failure> { Ok(data::measure(task.as_ref(), workload, threads, repetitions)?) })?;
    output::report(&report, arguments.json, text)?;
    Ok(0)
}

fn text(report: &DataReport) -> String {
    let time = &report.time;
    format!(
        "{} instances of {}, {} threads: {:.1} ms (quartiles {:.1} to {:.1}, {} repetitions)\n\
         {:.0} instances/s, {:.0} tokens/s, {:.0} tokens/s for each thread, {:.1} tokens each\n\
         hash of all instances: {}\n",
        report.instances,
        report.workload.task,
        report.threads,
        time.median_ms,
        time.lower_quartile_ms,
        time.upper_quartile_ms,
        time.repetitions,
        report.instances_per_second,
        report.tokens_per_second,
        report.tokens_per_second_per_thread,
        report.mean_length,
        report.hash,
    )
}
