//! Trains the models of a suite and evaluates its cells, each in a process of its own, as many at a time as there are cores
//! to share.

mod queue;
mod workers;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::queue::Queue;
use crate::error::{Error, Result};
use crate::monitor::Stage;
use crate::plan::{Cell, Model, Suite};
use crate::store::{RunFolder, Status, TrainingLine};

pub(crate) use self::workers::ended;

/// A line that a worker prints for its scheduler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressLine {
    /// What the worker is doing.
    pub stage: Stage,
    /// Steps or batches done.
    pub done: u64,
    /// Steps or batches in all.
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

    /// How people call it.
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
    /// A model or cell is done already and is left as it is.
    Kept(Item<'a>),
    /// What it has recorded does not verify, for this reason: it is computed again, and kept in this folder.
    Damaged(Item<'a>, &'a Error, &'a Path),
    /// What it has recorded cannot be read, for this reason: it is left as it is.
    Unreadable(Item<'a>, &'a Error),
    /// A worker has started on it.
    Started(Item<'a>),
    /// A worker reports.
    Progress(&'a str, &'a ProgressLine),
    /// It has ended: done, or failed for a reason, or stopped in order to be resumed.
    Ended(Item<'a>, &'a Status),
    /// Cells that are done have been timed, out of those that are to be.
    Timed(usize, usize),
    /// A cell that is done could not be timed, for this reason.
    Untimed(&'a Cell, String),
    /// Nothing happened for a moment.
    Idle,
}

/// How to run a suite.
pub struct Options {
    /// Program and arguments of a worker, before those that say what it works on.
    pub worker: Vec<OsString>,
    /// Plugins that workers load by name.
    pub plugins: Vec<PathBuf>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Workers at a time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Whether what is done is computed again.
    pub overwrite: bool,
}

/// How a run ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
    /// Models that this run has trained.
    pub trained: usize,
    /// Models that were there already.
    pub reused: usize,
    /// The signal that stopped the run.
    pub interrupted: Option<i32>,
}

/// Runs the cells of `suite` that `wanted` names, and trains their models; `signal` tells whether somebody asked to stop.
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
    let mut queue = Queue::new(suite, folder, options);
    for cell in suite.cells.iter().filter(|cell| wanted(cell)) {
        queue.admit_cell(cell, report)?;
    }
    queue.work(signal, report)?;
    queue.time(signal, report)?;
    Ok(queue.summary)
}
