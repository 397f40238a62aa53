//! `haltbench run`: every cell of a suite, and then its leaderboard.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use haltbench_engine::plan::{self, Cell, Suite};
use haltbench_engine::plugins::{Entry, IS_BUNDLED};
use haltbench_engine::rehearsal::{self, Refusal, Rehearsal, Watch};
use haltbench_engine::scheduler::{self, Event, Limits, Options, Summary};
use haltbench_engine::store::RunFolder;
use haltbench_engine::{Error, device};

use super::leaderboard;
use crate::catalogue;
use crate::failure::Failure;
use crate::finished::mention_other_versions;
use crate::notice;
use crate::only::Only;
use crate::progress::Display;
use crate::signals;
use crate::sources;

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
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    only: Only,
    /// Keep finished models and cells, and continue unfinished ones (the default)
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Compute everything again, even finished models and cells
    #[arg(long)]
    overwrite: bool,
}

/// How a suite is run.
#[derive(Debug, clap::Args)]
pub struct Execution {
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Override a value of the suite file, such as training.steps=100 or policy.anira-e.gamma=0.05
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Folder of all runs. Several runs may share it, on one machine or on several: each computes what no other does
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(super) runs: PathBuf,
    /// Number of workers at a time, which share the cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Cores that the workers share; by default all that this process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) cores: Option<u16>,
    /// Longest time without progress, such as a training step or a batch; a cell that takes longer fails
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    step_timeout: Duration,
    /// Longest time for a model or a cell; one that takes longer is stopped, and the next run continues it
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    cell_timeout: Option<Duration>,
    /// Isolate the processes that run plugins as far as Linux allows: they see only the files that they need, change
    /// only those of their cell, have no network, and no more memory than the machine
    #[arg(long)]
    isolate: bool,
}

/// Longest time for the trial of one plan, before anything is trained.
pub const TRIAL: Duration = Duration::from_secs(30);

impl Execution {
    /// The flags that give another process the same execution.
    pub(super) fn flags(&self) -> Vec<OsString> {
        let mut flags: Vec<OsString> = vec!["--runs".into(), absolute(&self.runs).into()];
        let mut add = |flag: &str, value: &str| flags.extend([flag.into(), value.into()]);
        if self.device != "cpu" {
            add("--device", &self.device);
        }
        for assignment in &self.overrides {
            add("--set", assignment);
        }
        if let Some(jobs) = self.jobs {
            add("--jobs", &jobs.to_string());
        }
        if self.step_timeout != DEFAULT_STEP_TIMEOUT {
            add("--step-timeout", &self.step_timeout.as_secs_f64().to_string());
        }
        if let Some(limit) = self.cell_timeout {
            add("--cell-timeout", &limit.as_secs_f64().to_string());
        }
        if self.isolate {
            flags.push("--isolate".into());
        }
        flags
    }

    /// Cores that the workers share.
    fn cores(&self) -> usize {
        self.cores.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
    }
}

/// The default of `--step-timeout`.
const DEFAULT_STEP_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a worker may take to stop. A run then ends within three seconds of Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

/// Parses a positive number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a positive number of seconds, found {text}");
    let number: f64 = text.parse().map_err(|_| expected())?;
    if number > 0.0 { Duration::try_from_secs_f64(number).map_err(|_| expected()) } else { Err(expected()) }
}

/// Runs the suite.
///
/// # Errors
/// If the suite is wrong or the run folder cannot be used; failed cells are an exit status.
pub fn run(arguments: &RunArguments, plugin_files: &[PathBuf]) -> Result<i32, Failure> {
    let RunArguments { suite, execution, only, overwrite, .. } = arguments;
    let plan = Plan::of(suite, execution, plugin_files)?;
    only.check(&plan.suite)?;
    let wanted = |cell: &Cell| only.matches(cell);
    let (status, summary) = plan.execute(&wanted, *overwrite)?;
    if summary.interrupted.is_none() && summary.done > 0 {
        match leaderboard::show(&plan.suite, &plan.folder) {
            // The exit status tells how the cells ended, even if nobody reads the leaderboard to its end.
            Err(failure) if failure.is_quiet() => {}
            shown => shown?,
        }
    }
    Ok(status)
}

/// A suite, and how it is run.
pub struct Plan<'a> {
    /// The suite.
    pub suite: Suite,
    /// Where its results go.
    pub folder: RunFolder,
    execution: &'a Execution,
    /// Libraries that were named, on the command line or in the suite file.
    pub(super) plugins: Vec<PathBuf>,
    /// Libraries with the suite's tasks and backbones.
    libraries: Vec<PathBuf>,
}

impl<'a> Plan<'a> {
    /// Reads and plans a suite.
    ///
    /// # Errors
    /// If the suite, a flag or a plugin is wrong.
    pub fn of(suite: &str, execution: &'a Execution, plugins: &[PathBuf]) -> Result<Self, Failure> {
        let file = plan::read(suite, &execution.overrides)?;
        let plugins = sources::with_those_of(&file, plugins)?;
        let catalogue = catalogue::load(&plugins)?;
        device::open(&execution.device)?;
        let suite = plan::resolve(&file, &catalogue, &execution.device)?;
        let folder = RunFolder::new(&execution.runs, &suite.name);
        let used = |entry: &&Entry| match entry.kind() {
            "task" => suite.cells.iter().any(|cell| cell.plan.model.task.name == entry.name()),
            "backbone" => suite.cells.iter().any(|cell| cell.plan.model.backbone.name == entry.name()),
            _ => false,
        };
        // What is linked in has no library that an auditor could open.
        let used = catalogue.entries().filter(|entry| !IS_BUNDLED && used(entry));
        let libraries: BTreeSet<PathBuf> = used.map(|entry| entry.file.clone()).collect();
        Ok(Self { suite, folder, execution, plugins, libraries: libraries.into_iter().collect() })
    }

    /// Trains and evaluates the wanted cells. Returns the exit status and what happened.
    ///
    /// # Errors
    /// If a plan is refused or the run folder cannot be used.
    pub fn execute(&self, wanted: &dyn Fn(&Cell) -> bool, overwrite: bool) -> Result<(i32, Summary), Failure> {
        let total = self.suite.cells.iter().filter(|cell| wanted(cell)).count();
        mention_other_versions(&self.folder, &self.suite)?;
        let stop = signals::watch(signals::PATIENCE, signals::exit_now)?;
        let signal = || Some(stop.load(Ordering::Relaxed)).filter(|signal| *signal != 0);
        let limit = TRIAL.min(self.execution.step_timeout);
        let isolated_on = self.execution.isolate.then_some(self.execution.device.as_str());
        rehearse(&self.suite, &self.plugins, (limit, isolated_on), &signal)?;
        // Only what is begun is warned about: an error is the one line of its run.
        self.folder.prepare()?;
        self.suite.warnings.iter().for_each(|warning| notice::say("warning", warning));
        let options = self.options(total, overwrite)?;
        let mut display = Display::new(total);
        let show = &mut |event: Event| display.show(&event);
        let summary = scheduler::run(&self.suite, &self.folder, wanted, &options, &signal, show)?;
        display.finish();
        let stopped = match summary.stopped {
            0 => String::new(),
            stopped => format!(", {stopped} stopped at a limit"),
        };
        let models = if summary.trained == 1 { "model" } else { "models" };
        let Summary { done, failed, trained, reused, .. } = summary;
        notice::line(&format!(
            "{done} of {total} cells done, {failed} failed{stopped}; {trained} {models} trained, {reused} there already; \
             results in {}",
            self.folder.path().display()
        ));
        if let Some(signal) = summary.interrupted {
            notice::line(&format!("stopped by signal {signal}; run the same command to continue"));
            return Ok((Error::Interrupted(signal).exit_status(), summary));
        }
        Ok((i32::from(done < total), summary))
    }

    fn auditor(&self) -> Result<Vec<OsString>, Failure> {
        let mut auditor: Vec<OsString> = vec![program()?.into(), "audit".into()];
        auditor.extend(["--device".into(), self.execution.device.clone().into()]);
        for library in &self.libraries {
            auditor.extend(["--library".into(), library.into()]);
        }
        Ok(auditor)
    }

    fn options(&self, total: usize, overwrite: bool) -> Result<Options, Failure> {
        let cores = self.execution.cores();
        // Cells share an accelerator badly, so one runs at a time; on the CPU, cells share the cores.
        let most = if self.execution.device == "cpu" { cores } else { 1 };
        let jobs = self.execution.jobs.map_or(most, usize::from).min(total.max(1));
        Ok(Options {
            worker: vec![program()?.into(), OsString::from("compute")],
            auditor: self.auditor()?,
            plugins: all_absolute(&self.plugins),
            device: self.execution.device.clone(),
            jobs,
            threads: (cores / jobs).max(1),
            overwrite,
            isolate: self.execution.isolate,
            limits: Limits { step: self.execution.step_timeout, cell: self.execution.cell_timeout, grace: GRACE },
        })
    }
}

/// Tries every plan in another process. A plan that ends this process gets a notice, and its cell will fail.
///
/// # Errors
/// If a plan is refused.
pub fn rehearse(
    suite: &Suite,
    plugin_files: &[PathBuf],
    (limit, isolated_on): (Duration, Option<&str>),
    signal: &dyn Fn() -> Option<i32>,
) -> Result<(), Failure> {
    let (program, plugins) = (program()?, all_absolute(plugin_files));
    let command = || {
        let mut command = process::Command::new(&program);
        command.arg("rehearse");
        if let Some(device) = isolated_on {
            command.args(["--isolate", "--device", device]);
        }
        for plugin in &plugins {
            command.arg("--plugin").arg(plugin);
        }
        command
    };
    let slow = &mut |title: &str| {
        let limit = limit.as_secs_f64();
        notice::say("note", &format!("{title}: it takes long to build; the trial ends after {limit} s"));
    };
    let open = &mut |what: &str| notice::say("warning", &format!("--isolate: not everything is isolated here: {what}"));
    match rehearsal::rehearse(suite, &command, &mut Watch { limit, signal, slow, open, is_told: false })? {
        Rehearsal::Refused(Refusal { message, status }) => Err(Failure::with_status(message, status)),
        Rehearsal::Admitted(deadly) => {
            for (title, how) in deadly {
                notice::say("warning", &format!("{title}: a process that built it {how}"));
            }
            Ok(())
        }
    }
}

/// The path of this program.
///
/// # Errors
/// If the system does not tell it.
pub(super) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::failed(format!("the program's own path: {error}")))
}

/// A path that does not depend on the current folder.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Paths that do not depend on the current folder.
pub(super) fn all_absolute(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| absolute(path)).collect()
}
