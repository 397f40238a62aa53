//! The end of a model or cell: its result is admitted, or its failure recorded.

use super::admission::{self, set_status};
use super::queue::Queue;
use super::workers::{End, Stop};
use super::{Event, Item};
use crate::error::{Error, Result};
use crate::process::Ending;
use crate::store::{Claim, State, Status};

impl<'a> Queue<'a> {
    /// Ends the work of a worker.
    pub(super) fn end(&mut self, id: &str, ending: &Ending, report: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(end) = self.workers.end(id, ending) else { return Ok(()) };
        let (Some(item), Some(claim)) = (self.item(id), self.claimed.remove(id)) else { return Ok(()) };
        let status = self.outcome(item, &end, &claim)?;
        drop(claim);
        self.record(item, &status, report)
    }

    /// What becomes of the work. Only a worker that ended well is believed to have a result, and only if the result
    /// verifies.
    fn outcome(&self, item: Item, end: &End, claim: &Claim) -> Result<Status> {
        let status = match (end.stop, end.code) {
            (Some(Stop::OutOfTime(_)), _) => Status::stopped(end.cause.clone()),
            (Some(Stop::Hung(_)), _) => Status::failed(end.cause.clone()),
            (None, Some(0)) => match self.admit_result(item, claim) {
                Ok(true) => return Ok(admission::status(self.folder, item)),
                Ok(false) => Status::of(State::Pending),
                Err(Error::Damaged { path, .. }) if !path.exists() => Status::failed(end.cause.clone()),
                Err(error @ (Error::Damaged { .. } | Error::File { .. } | Error::Cell(_))) => {
                    Status::failed(format!("its result is refused: {error}"))
                }
                Err(error) => return Err(error),
            },
            (None, Some(130 | 143)) => Status::of(State::Pending),
            _ if self.is_interrupted() => Status::of(State::Pending),
            _ => Status::failed(end.cause.clone()),
        };
        if claim.holds() {
            set_status(self.folder, item, &status)?;
        }
        Ok(status)
    }

    /// Admits the result of a worker; false if another run has taken the folder over.
    fn admit_result(&self, item: Item, claim: &Claim) -> Result<bool> {
        if !claim.holds() {
            return Ok(false);
        }
        match item {
            Item::Model(model) => {
                let folder = self.folder.model(&model.id);
                folder.admit(&folder.work(self.claims.owner())?, &model.plan)?;
            }
            Item::Cell(cell) => {
                let folder = self.folder.cell(&cell.id);
                folder.admit(&folder.work(self.claims.owner())?, &cell.plan)?;
            }
        }
        Ok(true)
    }

    /// Counts an item that has ended.
    pub(super) fn record(&mut self, item: Item<'a>, status: &Status, report: &mut dyn FnMut(Event)) -> Result<()> {
        self.pending.remove(item.id());
        match (item, status.state) {
            (Item::Model(model), State::Done) if self.worked.contains(&model.id) => self.summary.trained += 1,
            (Item::Model(_), State::Done) => self.summary.reused += 1,
            (Item::Cell(cell), State::Done) => {
                self.summary.done += 1;
                self.done.push(cell);
                self.results.insert(&cell.id, status.result.clone());
            }
            (Item::Cell(_), State::Failed) => self.summary.failed += 1,
            (_, State::Pending | State::Running | State::Stopped) => {
                self.stopped.insert(item.id());
                if item.is_cell() && status.state == State::Stopped {
                    self.summary.stopped += 1;
                }
            }
            (Item::Model(_), State::Failed) => {}
        }
        report(Event::Ended(item, status));
        Ok(())
    }

    /// Verifies every cell that is done once more: a plugin can write to folders that are not its own.
    pub fn verify(&mut self, report: &mut dyn FnMut(Event)) {
        if self.is_interrupted() {
            return;
        }
        for cell in std::mem::take(&mut self.done) {
            let folder = self.folder.cell(&cell.id);
            let lost = match folder.result() {
                Ok(Some(_)) if folder.status().result == self.results.get(cell.id.as_str()).cloned().flatten() => {
                    self.done.push(cell);
                    continue;
                }
                Ok(Some(_)) => Error::Damaged {
                    path: folder.file("result.json"),
                    message: "it is another result than was admitted".to_owned(),
                },
                Ok(None) => Error::Damaged {
                    path: folder.file("result.json"),
                    message: "the file is missing".to_owned(),
                },
                Err(error) => error,
            };
            self.summary.done -= 1;
            self.summary.failed += 1;
            report(Event::Lost(Item::Cell(cell), &lost));
        }
    }
}
