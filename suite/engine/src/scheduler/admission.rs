//! The folder of a model or cell: what it holds before a run, and what becomes of it.

use std::path::PathBuf;

use super::{Event, Item};
use crate::error::{Error, Result};
use crate::store::{Claim, Claims, Folder, Record, RunFolder, State, Status};

/// State of a folder before a run.
pub(super) enum Admission {
    /// It is done and verified.
    Done,
    /// It must be computed.
    Due,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// What a run does with a folder whose turn has come.
pub(super) enum Turn {
    /// Another run works on it.
    Elsewhere,
    /// Another run has finished it, with this status.
    Finished(Status),
    /// It is ready to be computed in the folder inside it.
    Ready(Claim, PathBuf),
    /// It cannot be read or written, for this reason. It may be intact, so it is left unchanged.
    Unreadable(Error),
}

/// Examines a folder, and completes one that a killed run has left with a result. If it cannot be read, only its item
/// fails.
pub(super) fn examine<R: Record>(
    folder: &Folder<R>,
    (item, overwrite): (Item, bool),
    report: &mut dyn FnMut(Event),
) -> Result<Admission> {
    if overwrite {
        return Ok(Admission::Due);
    }
    let settled = || -> Result<Option<R>> {
        let result = folder.result()?;
        if result.is_some() && folder.status().state != State::Done {
            // If the folder is locked, another run settles it.
            if let Some(_lock) = folder.claim()? {
                folder.settle()?;
            }
        }
        Ok(result)
    };
    match settled() {
        Ok(Some(_)) => Ok(Admission::Done),
        // A result that fails verification, or belongs to another cell or version, is computed again.
        Ok(None) | Err(Error::Damaged { .. }) => Ok(Admission::Due),
        Err(error @ Error::File { .. }) => {
            report(Event::Unreadable(item, &error));
            Ok(Admission::Unreadable(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Claims a folder and prepares it. `before` is its status when the run began.
pub(super) fn prepare<R: Record>(
    (folder, plan, item): (&Folder<R>, &R::Plan, Item),
    claims: &Claims,
    (before, overwrite): (&Status, bool),
    report: &mut dyn FnMut(Event),
) -> Result<Turn> {
    match ready((folder, plan, item), claims, (before, overwrite), report) {
        Err(error @ Error::File { .. }) => Ok(Turn::Unreadable(error)),
        other => other,
    }
}

fn ready<R: Record>(
    (folder, plan, item): (&Folder<R>, &R::Plan, Item),
    claims: &Claims,
    (before, overwrite): (&Status, bool),
    report: &mut dyn FnMut(Event),
) -> Result<Turn> {
    let Some(lock) = folder.claim()? else { return Ok(Turn::Elsewhere) };
    let now = folder.status();
    // Another run has finished it: a claim would stay there if this run were killed now.
    if !overwrite && now.state == State::Done && matches!(folder.result(), Ok(Some(_))) {
        return Ok(Turn::Finished(now));
    }
    let Some(claim) = claims.take(folder, lock)? else { return Ok(Turn::Elsewhere) };
    let now = folder.status();
    // Another run that works on the same folder has tried it meanwhile.
    if now.state == State::Failed && now != *before {
        return Ok(Turn::Finished(now));
    }
    if overwrite {
        folder.clear()?;
    }
    match folder.result() {
        Ok(Some(_)) => {
            folder.settle()?;
            return Ok(Turn::Finished(folder.status()));
        }
        Ok(None) => {}
        Err(error @ Error::Damaged { .. }) => {
            let aside = folder.set_aside()?;
            folder.log(&format!("computed again: {error}; what was there is kept in {}", aside.display()))?;
            report(Event::Damaged(item, &error, &aside));
        }
        Err(error) => return Err(error),
    }
    folder.remove_leftovers()?;
    folder.create(plan)?;
    let work = folder.work(claims.owner())?;
    work.create(plan)?;
    folder.set_status(&Status::of(State::Running))?;
    Ok(Turn::Ready(claim, work.path().to_owned()))
}

/// The status in the folder of an item.
pub(super) fn status(run: &RunFolder, item: Item) -> Status {
    match item {
        Item::Model(model) => run.model(&model.id).status(),
        Item::Cell(cell) => run.cell(&cell.id).status(),
    }
}

/// Records a status in the folder of an item.
pub(super) fn set_status(run: &RunFolder, item: Item, status: &Status) -> Result<()> {
    match item {
        Item::Model(model) => run.model(&model.id).set_status(status),
        Item::Cell(cell) => run.cell(&cell.id).set_status(status),
    }
}
