//! One model or one cell from plan to result, in a process of its own.

mod cell;
mod finish;
mod lock;
mod record;
mod setting;
mod train;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use haltbench_sdk::threads;

pub(crate) use self::train::check_start;

use self::cell::Cell;
use self::lock::wait_for_lock;
use crate::device;
use crate::error::{Error, Result};
use crate::memory;
use crate::monitor::Monitor;
use crate::panics;
use crate::plugins::Catalogue;
use crate::store::{Folder, Record, RunFolder, State, Status};
use crate::trace::{Contents, Recorded};

/// Trains a model on a thread with a large stack; a panic is a failure of the model. Its status is recorded.
///
/// # Errors
/// Why it failed, or [`Error::Interrupted`].
pub fn train_model(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    let folder = run.model(id);
    settled(&folder, monitor, || train::train(run, &folder, catalogue, device::open(device)?, monitor))
}

/// Evaluates a cell on a thread with a large stack; a panic is a failure of the cell. The cell's status is recorded.
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
    settled(&run.cell(id), monitor, || Cell::open(run, id, catalogue, device, monitor)?.finish(monitor))
}

/// Runs `work`, which finishes a folder, under its lock, and records the status.
fn settled<R: Record>(
    folder: &Folder<R>,
    monitor: &(dyn Monitor + Sync),
    work: impl FnOnce() -> Result<()> + Send,
) -> Result<()> {
    memory::keep_freed();
    let _lock = wait_for_lock(folder, monitor)?;
    // Another run may have finished it in the meantime.
    if folder.result()?.is_some() {
        return folder.settle();
    }
    folder.set_status(&Status::of(State::Running))?;
    let outcome = contained(work);
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
    let _lock = wait_for_lock(&folder, monitor)?;
    if folder.result()?.is_none() {
        return Err(Error::Cell(format!("{}: this cell is not done", folder.path().display())));
    }
    contained(|| Cell::open(run, id, catalogue, device, monitor)?.time(monitor))
}

/// Writes a trace of a finished cell's evaluation, passes of its model without halting, to `path`; at most `most`
/// instances.
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
    contained(|| Cell::open(run, id, catalogue, device, monitor)?.trace(path, contents, most, monitor))
}

/// Does work on a thread with a large stack; a panic is an error.
fn contained<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    match threads::in_pool(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Cell(format!("panicked: {}", panics::message(panic.as_ref())))),
        Err(error) => Err(error.into()),
    }
}
