//! `haltbench analyze`: the analyses of the paper, from finished cells.

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use haltbench_report::analyses::{AnalysisOptions, Kind, analyze};
use haltbench_report::{Format, Target};
use haltbench_sdk::visible::on_one_line;
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::finished::{Finished, unreadable};
use crate::notice;
use crate::output::Output;

/// Without a terminal, an analysis says where it is at this interval.
const QUIET: Duration = Duration::from_secs(10);

/// Answer one question about the policies of a suite that has been run
///
/// Reads recorded results and trains nothing. A number that cannot be computed is missing, with a reason.
#[derive(Debug, clap::Args)]
pub struct AnalyzeArguments {
    #[command(flatten)]
    finished: Finished,
    #[arg(help = kinds(), long_help = summaries())]
    analysis: String,
    /// Output format: table, markdown, csv, json or svg
    #[arg(long, default_value = "table")]
    format: String,
    /// Only this complexity; may be given several times
    #[arg(long = "complexity", value_name = "NAME")]
    complexities: Vec<String>,
    /// Target for choosing a policy's knobs, as in `haltbench leaderboard`
    #[arg(long, value_name = "TARGET", default_value = "accuracy=0.99")]
    at: String,
    /// Cover every setting of every policy's knobs, not only the chosen one
    #[arg(long)]
    curve: bool,
}

fn kinds() -> String {
    format!("The question: {}", Kind::ALL.map(Kind::name).join(", "))
}

fn summaries() -> String {
    let lines = Kind::ALL.map(|kind| format!("{}: {}", kind.name(), kind.summary()));
    format!("The question:\n{}", lines.join("\n"))
}

/// Writes the analysis.
///
/// # Errors
/// If the suite or an option is wrong, or a result is damaged.
pub fn run(arguments: &AnalyzeArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let kind = Kind::from_name(&arguments.analysis)?;
    let format = Format::from_name(&arguments.format)?;
    let target = Target::from_text(&arguments.at)?;
    let options = AnalysisOptions { complexities: arguments.complexities.clone(), target, curve: arguments.curve };
    let (suite, folder) = arguments.finished.open(plugin_files)?;
    let progress = Progress::new();
    let analysis = analyze(&suite, &folder, kind, &options, &|label| progress.at(label)).map_err(unreadable)?;
    progress.end();
    let mut output = Output::new();
    output.text(&format.write_analysis(&analysis))?;
    output.flush()?;
    Ok(0)
}

/// Which policy an analysis is at: a line on a terminal that is replaced, lines at intervals elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    said: Cell<Instant>,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        Self { bar, said: Cell::new(Instant::now()) }
    }

    fn at(&self, label: &str) {
        let label = on_one_line(label);
        match &self.bar {
            Some(bar) => {
                bar.set_message(label.into_owned());
                bar.tick();
            }
            None if self.said.get().elapsed() >= QUIET => {
                self.said.set(Instant::now());
                notice::say("analysing", &label);
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
