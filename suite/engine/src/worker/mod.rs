//! One cell from plan to result, in a process of its own.

mod cell;
mod finish;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use haltbench_sdk::threads;

use self::cell::Cell;
use crate::error::{Error, Result};
use crate::memory;
use crate::monitor::Monitor;
use crate::panics;
use crate::plugins::Catalogue;
use crate::store::{CellFolder, RunFolder, State, Status};
use crate::trace::{Contents, Recorded};

/// How long a worker waits for another process that still holds the cell, such as a worker of a run that was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a cell on a thread with a large stack; a panic is a failure of the cell. The cell's status is recorded.
///
/// # Errors
/// Why the cell failed, or [`Error::Interrupted`].
pub fn run_cell(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    memory::keep_freed();
    let folder = run.cell(id);
    let _lock = wait_for_lock(&folder)?;
    // Another run may have finished it meanwhile.
    if folder.result()?.is_some() {
        return folder.settle();
    }
    folder.set_status(&Status::of(State::Running))?;
    let outcome = contained(|| {
        let mut cell = Cell::open(run, id, catalogue, device)?;
        let trained = cell.train(monitor)?;
        cell.finish(trained, monitor)
    });
    match &outcome {
        Ok(()) => folder.set_done()?,
        Err(Error::Interrupted(_)) => folder.set_status(&Status::of(State::Pending))?,
        Err(error) => {
            folder.log(&format!("failed: {error}"))?;
            folder.set_status(&Status::failed(error.to_string()))?;
        }
    }
    outcome
}

fn wait_for_lock(folder: &CellFolder) -> Result<File> {
    let started = Instant::now();
    loop {
        if let Some(lock) = folder.lock()? {
            return Ok(lock);
        }
        if started.elapsed() > PATIENCE {
            let path = folder.path().display();
            return Err(Error::Cell(format!("{path}: another process is at work on this cell")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Times a finished cell on a thread with a large stack, and records it in `timings.json`.
///
/// # Errors
/// If the cell is not done or cannot be timed, or [`Error::Interrupted`].
pub fn time_cell(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    memory::keep_freed();
    let folder = run.cell(id);
    let _lock = wait_for_lock(&folder)?;
    if folder.result()?.is_none() {
        return Err(Error::Cell(format!("{}: this cell is not done", folder.path().display())));
    }
    contained(|| Cell::open(run, id, catalogue, device)?.time(monitor))
}

/// Writes what the model of a finished cell computes at every step of its evaluation, with nobody halting, to `path`; of at
/// most `most` instances.
///
/// # Errors
/// If the cell is not done or a pass fails, the file cannot be written, or [`Error::Interrupted`].
pub fn trace_cell(
    (run, id): (&RunFolder, &str),
    catalogue: &Catalogue,
    device: &str,
    (path, contents, most): (&Path, Contents, Option<usize>),
    monitor: &(dyn Monitor + Sync),
) -> Result<Recorded> {
    let folder = run.cell(id);
    if folder.result()?.is_none() {
        return Err(Error::Cell(format!("{}: this cell is not done", folder.path().display())));
    }
    contained(|| Cell::open(run, id, catalogue, device)?.trace(path, contents, most, monitor))
}

/// Does work on a thread with a large stack; a panic is an error.
fn contained<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    match threads::in_pool(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Cell(format!("panicked: {}", panics::message(panic.as_ref())))),
        Err(error) => Err(error.into()),
    }
}
