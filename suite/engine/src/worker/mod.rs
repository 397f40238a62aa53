//! One model or one cell from plan to result, in a process of its own.

mod audit;
mod cell;
mod finish;
mod record;
mod setting;
mod train;
mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use haltbench_sdk::threads;

pub use self::audit::Auditor;
pub(crate) use self::train::check_start;

use self::cell::Cell;
use crate::device;
use crate::error::{Error, Result};
use crate::memory;
use crate::monitor::Monitor;
use crate::panics;
use crate::plugins::Catalogue;
use crate::store::{CellFolder, Folder, ModelFolder, Record, RunFolder, Speed};
use crate::trace::{Contents, Recorded};

/// Trains a model in the folder `work` on a thread with a large stack; a panic is a failure of the model.
///
/// # Errors
/// Why it failed, or [`Error::Interrupted`].
pub fn train_model(
    run: &RunFolder,
    (id, work): (&str, &Path),
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    let folder = ModelFolder::of_work(work.to_owned(), id);
    unless_done(&folder, || train::train(run, &folder, catalogue, device::open(device)?, monitor))
}

/// Evaluates a cell in the folder `work` on a thread with a large stack; a panic is a failure of the cell.
///
/// # Errors
/// Why the cell failed, or [`Error::Interrupted`].
pub fn run_cell(
    run: &RunFolder,
    (id, work): (&str, &Path),
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    let folder = CellFolder::of_work(work.to_owned(), id);
    unless_done(&folder, || Cell::open(run, folder.clone(), catalogue, device, monitor)?.finish(monitor))
}

/// Runs `work`, which finishes a folder, unless the folder has a result: its run may have been killed before it admitted
/// the result.
fn unless_done<R: Record>(folder: &Folder<R>, work: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    memory::keep_freed();
    match folder.result() {
        Ok(Some(_)) => Ok(()),
        _ => contained(work),
    }
}

/// Times a finished cell on a thread with a large stack.
///
/// # Errors
/// If the cell is not done or cannot be timed, or [`Error::Interrupted`].
pub fn time_cell(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<Speed> {
    memory::keep_freed();
    let folder = run.cell(id);
    if folder.result()?.is_none() {
        return Err(Error::Cell(format!("{}: this cell is not done", folder.path().display())));
    }
    contained(|| Cell::open(run, folder.clone(), catalogue, device, monitor)?.time(monitor))
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
    contained(|| Cell::open(run, folder.clone(), catalogue, device, monitor)?.trace(path, contents, most, monitor))
}

/// Does work on a thread with a large stack; a panic is an error.
fn contained<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    match threads::in_pool(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Cell(format!("panicked: {}", panics::message(panic.as_ref())))),
        Err(error) => Err(error.into()),
    }
}
