//! `haltbench leaderboard`: the policies of a suite, compared.

use std::path::PathBuf;

use haltbench_engine::plan::Suite;
use haltbench_engine::store::RunFolder;
use haltbench_report::{Criterion, Format, Options, Target};

use crate::failure::Failure;
use crate::finished::{Finished, unreadable};
use crate::output::Output;

/// Compare the policies of a suite that has been run
///
/// Reads recorded results and trains nothing. Ranks are intervals: policies that the data cannot tell apart share a
/// letter. A number that cannot be computed is missing, with a reason. A policy with missing cells is shown without a
/// rank.
#[derive(Debug, clap::Args)]
pub struct LeaderboardArguments {
    #[command(flatten)]
    finished: Finished,
    /// Output format: table, markdown, csv, json or svg
    #[arg(long, default_value = "table")]
    format: String,
    #[arg(long, value_name = "METRIC", default_value = "accuracy", help = criteria())]
    sort: String,
    /// Target for choosing a policy's knobs on the calibration part: cost=SHARE (the most accurate setting that costs
    /// at most this share of all D steps) or accuracy=SHARE (the cheapest setting with at least this share of the
    /// accuracy of the best fixed depth)
    #[arg(long, value_name = "TARGET", default_value = "accuracy=0.99")]
    at: String,
    /// Show every setting of every policy's knobs, not only the chosen one
    #[arg(long)]
    curve: bool,
}

fn criteria() -> String {
    format!("Measure to rank by: {}", Criterion::ALL.map(Criterion::name).join(", "))
}

/// Shows the leaderboard.
///
/// # Errors
/// If the suite or an option is wrong, or a result is damaged.
pub fn run(arguments: &LeaderboardArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let format = Format::from_name(&arguments.format)?;
    let sort = Criterion::from_name(&arguments.sort)?;
    let options = Options { sort, target: Target::from_text(&arguments.at)?, curve: arguments.curve };
    let (suite, folder) = arguments.finished.open(plugin_files)?;
    write(&suite, &folder, format, options)?;
    Ok(0)
}

/// Shows the leaderboard of a suite that has just been run.
///
/// # Errors
/// If the results cannot be read.
pub fn show(suite: &Suite, folder: &RunFolder) -> Result<(), Failure> {
    write(suite, folder, Format::default(), Options::default())
}

fn write(suite: &Suite, folder: &RunFolder, format: Format, options: Options) -> Result<(), Failure> {
    let board = haltbench_report::leaderboard(suite, folder, options).map_err(unreadable)?;
    let mut output = Output::new();
    output.text(&format.write(&board))?;
    output.flush()
}
