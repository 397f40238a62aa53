//! `haltbench leaderboard`: the policies of a suite, compared.

use std::path::PathBuf;

use haltbench_engine::Error;
use haltbench_engine::plan::{self, PLAN_SCHEMA, Suite};
use haltbench_engine::store::RunFolder;
use haltbench_report::{Criterion, Format, Options, Target};

use crate::catalogue;
use crate::failure::Failure;
use crate::notice;
use crate::only::Only;
use crate::output::Output;
use crate::sources;

/// Compare the policies of a suite that has been run
///
/// Reads recorded results and trains nothing. Ranks are intervals: policies that the data cannot tell apart share a
/// letter. A number that cannot be computed is missing, with a reason. A policy with missing cells is shown without a
/// rank.
#[derive(Debug, clap::Args)]
pub struct LeaderboardArguments {
    /// Path of a suite file, name of a built-in suite, or name of a suite that was run
    suite: String,
    #[command(flatten)]
    only: Only,
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
    /// Override that the suite was run with; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Device that the suite was run on: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
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
    let file = plan::parse(&plan::text(&arguments.suite, Some(&arguments.runs))?, &arguments.overrides)?;
    let plugin_files = &sources::with_those_of(&file, plugin_files)?;
    let catalogue = catalogue::load(plugin_files)?;
    let mut suite = plan::resolve(&file, &catalogue, &arguments.device)?;
    arguments.only.check(&suite)?;
    suite.cells.retain(|cell| arguments.only.matches(cell));
    let folder = RunFolder::new(&arguments.runs, &suite.name);
    if !folder.path().is_dir() {
        let path = folder.path().display();
        return Err(Failure::usage(format!("{path}: no runs; `haltbench run {}` makes them", arguments.suite)));
    }
    mention_other_versions(&folder, &suite)?;
    write(&suite, &folder, format, options)?;
    Ok(0)
}

/// Prints a notice if a folder holds cells that were planned by another version of the program or computed by other
/// code.
///
/// # Errors
/// If a plan cannot be written as text.
pub fn mention_other_versions(folder: &RunFolder, suite: &Suite) -> Result<(), Failure> {
    let path = folder.path().display();
    let cells = |count: usize| if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
    let count = folder.cells_of_other_schemas();
    if count > 0 {
        let message = format!(
            "{path} holds {} of another version of haltbench (plan schema {PLAN_SCHEMA} is read); they are left as they \
             are, and `haltbench run` computes their successors",
            cells(count)
        );
        notice::say("note", &message);
    }
    let made = folder.made_by_other_code(suite)?;
    if !made.cells.is_empty() {
        let message = format!(
            "{path} holds {} of this suite made by other code ({}); they are left as they are, and `haltbench run` \
             computes them anew",
            cells(made.cells.len()),
            made.changed.into_iter().collect::<Vec<_>>().join(", ")
        );
        notice::say("note", &message);
    }
    Ok(())
}

/// Shows the leaderboard of a suite that has just been run.
///
/// # Errors
/// If the results cannot be read.
pub fn show(suite: &Suite, folder: &RunFolder) -> Result<(), Failure> {
    write(suite, folder, Format::default(), Options::default())
}

fn write(suite: &Suite, folder: &RunFolder, format: Format, options: Options) -> Result<(), Failure> {
    let board = haltbench_report::leaderboard(suite, folder, options).map_err(|error| match error {
        Error::Damaged { .. } => {
            let message = format!("{error}; `haltbench run` keeps it aside and computes the cell again");
            Failure::with_status(message, error.exit_status())
        }
        error => error.into(),
    })?;
    let mut output = Output::new();
    output.text(&format.write(&board))?;
    output.flush()
}
