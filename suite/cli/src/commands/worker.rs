//! `haltbench worker`: one model or one cell, in this process. `haltbench run` starts one for each.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use haltbench_engine::monitor::{Monitor, Stage};
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::scheduler::ProgressLine;
use haltbench_engine::store::{RunFolder, TrainingLine};
use haltbench_engine::worker::{run_cell, time_cell, train_model};

use crate::failure::Failure;
use crate::signals;

/// Train one planned model or evaluate one planned cell in this process
///
/// `haltbench run` starts a worker for each. The worker prints a JSON line for each training step. It writes a
/// checkpoint and stops when it receives SIGINT or SIGTERM, or when its standard input is closed.
#[derive(Debug, clap::Args)]
pub struct WorkerArguments {
    /// Folder of the suite's runs, such as runs/quick
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Identifier of the cell to evaluate: the name of its folder
    #[arg(long, value_name = "ID", required_unless_present = "model", conflicts_with = "model")]
    cell: Option<String>,
    /// Identifier of the model to train: the name of its folder
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Time the finished cell instead of evaluating it
    #[arg(long, requires = "cell")]
    time: bool,
}

/// Shortest interval between two lines, so that printing does not slow down the work.
const PACE: Duration = Duration::from_millis(100);

/// Signal number reported for a closed standard input: SIGTERM.
const CLOSED: i32 = 15;

struct Reporter {
    stop: Arc<AtomicI32>,
    said: Mutex<Option<(Instant, Stage)>>,
}

impl Monitor for Reporter {
    fn progress(&self, stage: Stage, done: u64, total: u64, line: Option<&TrainingLine>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let due = said.is_none_or(|(when, last)| when.elapsed() > PACE || last != stage) || done == total;
        if due {
            *said = Some((Instant::now(), stage));
            let line = ProgressLine { stage, done, total, line: line.cloned() };
            if let Ok(text) = serde_json::to_string(&line) {
                // If the parent no longer reads, it has closed standard input as well.
                let _ = writeln!(io::stdout(), "{text}");
            }
        }
    }

    fn interrupted(&self) -> Option<i32> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal),
        }
    }
}

/// What a worker does with a model or a cell.
type Work = fn(&RunFolder, &str, &Catalogue, &str, &(dyn Monitor + Sync)) -> haltbench_engine::Result<()>;

/// Does the worker's task.
///
/// # Errors
/// Why it failed.
pub fn run(arguments: &WorkerArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let stop = signals::watch()?;
    let closed = stop.clone();
    thread::spawn(move || {
        let mut input = io::stdin();
        let mut buffer = [0; 64];
        while input.read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = closed.compare_exchange(0, CLOSED, Ordering::Relaxed, Ordering::Relaxed);
    });
    let (catalogue, _) = plugins::catalogue(plugins)?;
    let reporter = Reporter { stop, said: Mutex::new(None) };
    let (work, id): (Work, _) = match (&arguments.model, &arguments.cell) {
        (Some(model), _) => (train_model, model),
        (None, Some(cell)) => (if arguments.time { time_cell } else { run_cell }, cell),
        (None, None) => return Err(Failure::usage("expected --cell or --model".to_owned())),
    };
    work(&RunFolder::at(&arguments.run), id, &catalogue, &arguments.device, &reporter)?;
    Ok(0)
}
