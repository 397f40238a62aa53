//! Trains the models of a suite and evaluates its cells, each in a process of its own, several at a time on the
//! available cores. Several runs may share one folder: each claims a model or cell before it computes it.

mod admission;
mod audits;
mod ending;
mod limits;
mod queue;
mod timing;
mod workers;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::audits::{AuditAnswer, AuditQuestion};
pub use self::limits::Limits;
use self::queue::Queue;
use crate::error::{Error, Result};
use crate::monitor::Stage;
use crate::plan::{Cell, Model, Suite};
use crate::store::{RunFolder, Speed, Status, TrainingLine};

/// A line that a worker prints for its scheduler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerLine {
    /// It gets on.
    Progress(ProgressLine),
    /// It waits for another run.
    Waiting,
    /// It failed for this reason.
    Failed(String),
    /// The speed of a cell, which it has measured.
    Timed(Speed),
}

/// Progress of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressLine {
    /// What the worker is doing.
    pub stage: Stage,
    /// Steps or batches done.
    pub done: u64,
    /// Total number of steps or batches.
    pub total: u64,
    /// The last training step.
    pub line: Option<TrainingLine>,
}

/// What a worker works on.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// A model that is trained.
    Model(&'a Model),
    /// A cell that is evaluated.
    Cell(&'a Cell),
}

impl<'a> Item<'a> {
    /// Identifier.
    pub fn id(&self) -> &'a str {
        match self {
            Self::Model(model) => &model.id,
            Self::Cell(cell) => &cell.id,
        }
    }

    /// Its title in messages.
    pub fn title(&self) -> String {
        match self {
            Self::Model(model) => format!("model {}", model.title),
            Self::Cell(cell) => cell.title(),
        }
    }

    /// Whether it is a cell.
    pub fn is_cell(&self) -> bool {
        matches!(self, Self::Cell(_))
    }
}

/// What happens while a suite runs.
pub enum Event<'a> {
    /// A model or cell is already done and is kept.
    Kept(Item<'a>),
    /// Its recorded files fail verification, for this reason. They are moved to this folder, and it is computed again.
    Damaged(Item<'a>, &'a Error, &'a Path),
    /// Its recorded files cannot be read, for this reason. They are left unchanged.
    Unreadable(Item<'a>, &'a Error),
    /// Another run works on it; this run takes others first.
    Elsewhere(Item<'a>),
    /// A worker has started on it.
    Started(Item<'a>),
    /// A worker reports.
    Progress(&'a str, &'a ProgressLine),
    /// A worker has not reported for a while. It is ended at this limit, which this flag sets.
    Slow(Item<'a>, Duration, &'static str),
    /// It has ended: done, failed with a cause, or stopped and ready to be resumed.
    Ended(Item<'a>, &'a Status),
    /// Its files changed or disappeared after it was done, for this reason.
    Lost(Item<'a>, &'a Error),
    /// Number of cells timed so far, and number of cells to time.
    Timed(usize, usize),
    /// A finished cell could not be timed, for this reason.
    Untimed(&'a Cell, String),
    /// No event for a moment.
    Idle,
}

/// How to run a suite.
pub struct Options {
    /// Program and first arguments of a worker, before the arguments that name its work.
    pub worker: Vec<OsString>,
    /// Program and arguments of an auditor, before the argument that names the run: it opens the libraries of tasks and
    /// backbones alone.
    pub auditor: Vec<OsString>,
    /// Plugins that workers load by name.
    pub plugins: Vec<PathBuf>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Workers at a time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Whether finished models and cells are computed again.
    pub overwrite: bool,
    /// Whether workers are isolated as far as the system allows.
    pub isolate: bool,
    /// How long a worker may take.
    pub limits: Limits,
}

/// How a run ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
    /// Cells that were stopped at a limit, neither done nor failed.
    pub stopped: usize,
    /// Models trained by this run.
    pub trained: usize,
    /// Models that were already trained, or trained by another run meanwhile.
    pub reused: usize,
    /// The signal that stopped the run.
    pub interrupted: Option<i32>,
}

/// Runs the cells of `suite` selected by `wanted`, and trains their models; `signal` returns the signal that asks to
/// stop, if any.
///
/// # Errors
/// If a folder cannot be used or a worker cannot be started. A failed cell is not an error of the run.
pub fn run(
    suite: &Suite,
    folder: &RunFolder,
    wanted: &dyn Fn(&Cell) -> bool,
    options: &Options,
    signal: &dyn Fn() -> Option<i32>,
    report: &mut dyn FnMut(Event),
) -> Result<Summary> {
    folder.prepare()?;
    folder.write_index(suite)?;
    let mut queue = Queue::new(suite, folder, options, signal);
    for cell in suite.cells.iter().filter(|cell| wanted(cell)) {
        if signal().is_some() {
            break;
        }
        queue.admit_cell(cell, report)?;
    }
    queue.work(report)?;
    queue.time(report)?;
    queue.verify(report)?;
    Ok(queue.summary)
}
