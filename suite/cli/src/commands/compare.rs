//! `haltbench compare`: two policies of a suite that has been run.

use std::path::PathBuf;

use haltbench_report::{Format, Target, compare};

use crate::failure::Failure;
use crate::finished::{Finished, unreadable};
use crate::output::Output;

/// Compare two policies of a suite that has been run, in every measure
///
/// Prints paired differences with intervals and p values, the smallest difference that so many seeds could have shown, and
/// how many seeds would show the observed one. Reads recorded results and trains nothing.
#[derive(Debug, clap::Args)]
pub struct CompareArguments {
    #[command(flatten)]
    finished: Finished,
    /// Label of the first policy, as on the leaderboard; without the values of its knobs, the setting shown there
    first: String,
    /// Label of the second policy
    second: String,
    /// Output format: table, markdown, csv or json
    #[arg(long, default_value = "table")]
    format: String,
    /// Target for choosing a policy's knobs, as in `haltbench leaderboard`
    #[arg(long, value_name = "TARGET", default_value = "accuracy=0.99")]
    at: String,
}

/// Writes the comparison.
///
/// # Errors
/// If the suite, a label or an option is wrong, or a result is damaged.
pub fn run(arguments: &CompareArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let format = Format::from_name(&arguments.format)?;
    if format == Format::Svg {
        return Err(Failure::usage(
            "--format: expected table, markdown, csv or json, found svg: a comparison has no chart",
        ));
    }
    let target = Target::from_text(&arguments.at)?;
    let (suite, folder) = arguments.finished.open(plugin_files)?;
    let comparison = compare(&suite, &folder, [&arguments.first, &arguments.second], target).map_err(unreadable)?;
    let mut output = Output::new();
    output.text(&format.write_analysis(&comparison))?;
    output.flush()?;
    Ok(0)
}
