//! `haltbench compute`: one model or one cell, in this process. `haltbench run` starts one for each.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use haltbench_engine::monitor::{Monitor, Stage};
use haltbench_engine::plugins;
use haltbench_engine::process;
use haltbench_engine::scheduler::{ProgressLine, WorkerLine};
use haltbench_engine::store::{RunFolder, TrainingLine};
use haltbench_engine::worker::{run_cell, time_cell, train_model};

use crate::failure::Failure;
use crate::isolate;
use crate::notice;
use crate::signals;

/// Train one planned model or evaluate one planned cell in this process
///
/// `haltbench run` starts such a worker for each. It computes in a folder of its own and prints its progress as JSON
/// lines. It writes a checkpoint and stops when it receives SIGINT or SIGTERM, or when its standard input is closed.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct ComputeArguments {
    /// Folder of the suite's runs, such as runs/quick
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Identifier of the cell to evaluate: the name of its folder
    #[arg(long, value_name = "ID", required_unless_present = "model", conflicts_with = "model")]
    cell: Option<String>,
    /// Identifier of the model to train: the name of its folder
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Folder to compute in, with the plan; it must be inside the folder of the model or cell
    #[arg(long, value_name = "DIR", required_unless_present = "time", conflicts_with = "time")]
    work: Option<PathBuf>,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Time the finished cell instead of evaluating it
    #[arg(long, requires = "cell")]
    time: bool,
    /// Isolate this process as far as the system allows
    #[arg(long)]
    isolate: bool,
}

/// Shortest interval between two lines, so that printing does not slow down the work.
const PACE: Duration = Duration::from_millis(100);

/// Signal number reported for a closed standard input: SIGTERM.
const CLOSED: i32 = 15;

/// How long this process may take to stop once it is asked to. Its run, if it is alive, is less patient.
const PATIENCE: Duration = Duration::from_secs(10);

struct Reporter {
    stop: Arc<AtomicI32>,
    said: Mutex<Option<(Instant, Option<Stage>)>>,
}

impl Reporter {
    /// Says a line, unless the last one about the same stage was a moment ago.
    fn say(&self, stage: Option<Stage>, is_last: bool, line: impl FnOnce() -> WorkerLine) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if is_last || said.is_none_or(|(when, last)| when.elapsed() > PACE || last != stage) {
            *said = Some((Instant::now(), stage));
            process::say(&line());
        }
    }
}

impl Monitor for Reporter {
    fn progress(&self, stage: Stage, done: u64, total: u64, line: Option<&TrainingLine>) {
        self.say(Some(stage), done == total, || {
            WorkerLine::Progress(ProgressLine { stage, done, total, line: line.cloned() })
        });
    }

    fn waiting(&self) {
        self.say(None, false, || WorkerLine::Waiting);
    }

    fn notice(&self, message: &str) {
        notice::say("note", message);
    }

    fn interrupted(&self) -> Option<i32> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal),
        }
    }
}

/// Does the worker's task.
///
/// # Errors
/// Why it failed.
pub fn run(arguments: &ComputeArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    if arguments.isolate {
        isolate(arguments, plugins);
    }
    let stop = signals::watch(PATIENCE, |_| process::end_own_group())?;
    let closed = stop.clone();
    thread::spawn(move || {
        let mut input = io::stdin();
        let mut buffer = [0; 64];
        while input.read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = closed.compare_exchange(0, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
        thread::sleep(PATIENCE);
        process::end_own_group();
    });
    let reporter = Reporter { stop, said: Mutex::new(None) };
    match compute(arguments, plugins, &reporter) {
        Ok(()) => Ok(0),
        Err(failure) => {
            if let (Some(message), None) = (failure.message(), reporter.interrupted()) {
                process::say(&WorkerLine::Failed(message.to_owned()));
            }
            Err(failure)
        }
    }
}

/// Isolates this process, before it has another thread. What the system does not offer has been said by a rehearsal.
fn isolate(arguments: &ComputeArguments, plugins: &[PathBuf]) {
    let folder = arguments.work.clone().or_else(|| arguments.cell.as_ref().map(|cell| arguments.run.join(cell)));
    let plan = folder.and_then(|folder| fs::read_to_string(folder.join("plan.toml")).ok());
    let plan = plan.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
    let runs = arguments.run.parent().filter(|runs| !runs.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let work: Vec<&Path> = arguments.work.iter().map(PathBuf::as_path).collect();
    isolate::enter(plugins, &plan, &[runs], &work, &arguments.device);
}

fn compute(arguments: &ComputeArguments, plugins: &[PathBuf], reporter: &Reporter) -> Result<(), Failure> {
    let (catalogue, _) = plugins::catalogue(plugins)?;
    let (run, device) = (RunFolder::at(&arguments.run), arguments.device.as_str());
    match (&arguments.model, &arguments.cell, &arguments.work) {
        (Some(model), _, Some(work)) => train_model(&run, (model, work), &catalogue, device, reporter)?,
        (None, Some(cell), Some(work)) => run_cell(&run, (cell, work), &catalogue, device, reporter)?,
        (None, Some(cell), None) => {
            process::say(&WorkerLine::Timed(time_cell(&run, cell, &catalogue, device, reporter)?))
        }
        _ => return Err(Failure::usage("expected --model or --cell, and --work or --time".to_owned())),
    }
    Ok(())
}
