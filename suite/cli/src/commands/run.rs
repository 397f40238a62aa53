//! `haltbench run`: every cell of a suite, and then its leaderboard.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::Ordering;
use std::thread;

use haltbench_engine::plan::{self, Cell, Suite};
use haltbench_engine::rehearsal::{self, Refusal, Rehearsal};
use haltbench_engine::scheduler::{self, Event, Options};
use haltbench_engine::store::RunFolder;
use haltbench_engine::{Error, device};

use super::leaderboard;
use crate::catalogue;
use crate::failure::Failure;
use crate::notice;
use crate::only::Only;
use crate::progress::Display;
use crate::signals;

/// Train and evaluate every cell of a suite, then show its leaderboard
///
/// A cell is one evaluation of one policy on one model. A model is trained once and shared by all cells and suites that
/// use it. Each model and cell is computed in a process of its own, several at a time on the available cores; if one
/// fails, the others continue. Finished work is kept: a run that was stopped or killed continues where it was, and ends
/// with the same bytes as a run without interruption.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// Path of a suite file, or the name of a built-in suite (see `haltbench list suites`)
    suite: String,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Override a value of the suite file, such as training.steps=100 or policy.anira-e.gamma=0.05
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    only: Only,
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Number of workers at a time, which share the cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Keep finished models and cells, and continue unfinished ones (the default)
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Compute everything again, even finished models and cells
    #[arg(long)]
    overwrite: bool,
}

/// Runs the suite.
///
/// # Errors
/// If the suite is wrong or the run folder cannot be used; failed cells are an exit status.
pub fn run(arguments: &RunArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let file = plan::read(&arguments.suite, &arguments.overrides)?;
    let catalogue = catalogue::load(plugin_files)?;
    device::open(&arguments.device)?;
    let suite = plan::resolve(&file, &catalogue, &arguments.device)?;
    let folder = RunFolder::new(&arguments.runs, &suite.name);
    arguments.only.check(&suite)?;
    let wanted = |cell: &Cell| arguments.only.matches(cell);
    let total = suite.cells.iter().filter(|cell| wanted(cell)).count();
    leaderboard::mention_other_versions(&folder, &suite)?;
    let options = options(arguments, plugin_files, total)?;
    rehearse(&suite, plugin_files)?;
    // Only what is begun is warned about: an error is the one line of its run.
    folder.prepare()?;
    suite.warnings.iter().for_each(|warning| notice::say("warning", warning));
    let stop = signals::watch()?;
    let signal = || Some(stop.load(Ordering::Relaxed)).filter(|signal| *signal != 0);
    let mut display = Display::new(total);
    let summary =
        scheduler::run(&suite, &folder, &wanted, &options, &signal, &mut |event: Event| display.show(&event))?;
    display.finish();
    notice::line(&format!(
        "{} of {total} cells done, {} failed; {} {} trained, {} there already; results in {}",
        summary.done,
        summary.failed,
        summary.trained,
        if summary.trained == 1 { "model" } else { "models" },
        summary.reused,
        folder.path().display()
    ));
    if let Some(signal) = summary.interrupted {
        notice::line(&format!("stopped by signal {signal}; run the same command to continue"));
        return Ok(Error::Interrupted(signal).exit_status());
    }
    if summary.done > 0 {
        match leaderboard::show(&suite, &folder) {
            // The exit status tells how the cells ended, even if nobody reads the leaderboard to its end.
            Err(failure) if failure.is_quiet() => {}
            shown => shown?,
        }
    }
    Ok(i32::from(summary.done < total))
}

/// Tries every plan in another process. A plan that ends this process gets a notice, and its cell will fail.
///
/// # Errors
/// If a plan is refused.
pub fn rehearse(suite: &Suite, plugin_files: &[PathBuf]) -> Result<(), Failure> {
    let (program, plugins) = (program()?, absolute(plugin_files));
    let command = || {
        let mut command = process::Command::new(&program);
        command.arg("rehearse");
        for plugin in &plugins {
            command.arg("--plugin").arg(plugin);
        }
        command
    };
    match rehearsal::rehearse(suite, &command)? {
        Rehearsal::Refused(Refusal { message, status }) => Err(Failure::with_status(message, status)),
        Rehearsal::Admitted(deadly) => {
            for (title, how) in deadly {
                notice::say("warning", &format!("{title}: a process that built it {how}"));
            }
            Ok(())
        }
    }
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::failed(format!("the program's own path: {error}")))
}

fn absolute(plugin_files: &[PathBuf]) -> Vec<PathBuf> {
    plugin_files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect()
}

fn options(arguments: &RunArguments, plugin_files: &[PathBuf], total: usize) -> Result<Options, Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // Cells share an accelerator badly, so one runs at a time; on the CPU, cells share the cores.
    let most = if arguments.device == "cpu" { cores } else { 1 };
    let jobs = arguments.jobs.map_or(most, usize::from).min(total.max(1));
    Ok(Options {
        worker: vec![program()?.into(), OsString::from("worker")],
        plugins: absolute(plugin_files),
        device: arguments.device.clone(),
        jobs,
        threads: (cores / jobs).max(1),
        overwrite: arguments.overwrite,
    })
}
