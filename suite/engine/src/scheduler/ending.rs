//! The end of a model or cell: its result is admitted, or its failure recorded.

use super::admission::{self, set_status};
use super::audits::{AuditAnswer, AuditQuestion};
use super::queue::Queue;
use super::workers::Stop;
use super::{Event, Item};
use crate::error::{Error, Result};
use crate::process::Ending;
use crate::store::{Claim, State, Status};

/// Start of the cause of a cell whose result is not admitted.
const REFUSED: &str = "its result is refused";

impl<'a> Queue<'a> {
    /// Ends the work of a worker. Only a worker that ended well is believed to have a result, which is audited if it is
    /// that of a cell.
    pub(super) fn end(&mut self, id: &str, ending: &Ending, report: &mut dyn FnMut(Event)) -> Result<()> {
        let (Some(end), Some(item)) = (self.workers.end(id, ending), self.item(id)) else { return Ok(()) };
        let status = match (end.stop, end.code) {
            (Some(Stop::OutOfTime(_)), _) => Status::stopped(end.cause),
            (Some(Stop::Hung(_)), _) => Status::failed(end.cause),
            (None, Some(0)) => match item {
                Item::Cell(cell) => {
                    let folder = self.folder.cell(id);
                    let work = folder.work(self.claims.owner())?;
                    if work.file("result.json").exists() {
                        let work = work.path().to_owned();
                        return self.audits.ask(AuditQuestion { cell: cell.id.clone(), work });
                    }
                    Status::failed(end.cause)
                }
                Item::Model(_) => return self.admit_result(item, &end.cause, report),
            },
            (None, Some(130 | 143)) => Status::of(State::Pending),
            _ if self.is_interrupted() => Status::of(State::Pending),
            _ => Status::failed(end.cause),
        };
        self.settle(item, &status, report)
    }

    /// Goes on after the audit of a cell.
    pub(super) fn audited(&mut self, answer: &AuditAnswer, report: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(item) = self.item(&answer.cell) else { return Ok(()) };
        match &answer.fault {
            None => self.admit_result(item, "", report),
            Some(fault) => self.settle(item, &Status::failed(format!("{REFUSED}: {fault}")), report),
        }
    }

    /// Records what became of an item that this run has claimed, unless another run has taken it over.
    fn settle(&mut self, item: Item<'a>, status: &Status, report: &mut dyn FnMut(Event)) -> Result<()> {
        let claim = self.claimed.remove(item.id());
        // The folder of an admitted result says so already. Written again, a killed run could leave half of it behind.
        if status.state != State::Done && claim.is_some_and(|claim| claim.holds()) {
            set_status(self.folder, item, status)?;
        }
        self.record(item, status, report)
    }

    /// Admits the result of a worker. `cause` is why it has none, if it has none.
    fn admit_result(&mut self, item: Item<'a>, cause: &str, report: &mut dyn FnMut(Event)) -> Result<()> {
        let owner = self.claims.owner();
        let is_ours = self.claimed.get(item.id()).is_some_and(Claim::holds);
        let outcome = match item {
            _ if !is_ours => return self.settle(item, &Status::of(State::Pending), report),
            Item::Model(model) => {
                let folder = self.folder.model(&model.id);
                folder.work(owner).and_then(|work| folder.admit(&work, &model.plan))
            }
            Item::Cell(cell) => {
                let folder = self.folder.cell(&cell.id);
                folder.work(owner).and_then(|work| folder.admit(&work, &cell.plan))
            }
        };
        let status = match outcome {
            Ok(()) => admission::status(self.folder, item),
            Err(Error::Damaged { path, .. }) if path.ends_with("result.json") && !path.exists() => {
                Status::failed(cause)
            }
            Err(error @ (Error::Damaged { .. } | Error::File { .. })) => Status::failed(format!("{REFUSED}: {error}")),
            Err(error) => return Err(error),
        };
        self.settle(item, &status, report)
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
                Ok(None) => {
                    Error::Damaged { path: folder.file("result.json"), message: "the file is missing".to_owned() }
                }
                Err(error) => error,
            };
            self.summary.done -= 1;
            self.summary.failed += 1;
            report(Event::Lost(Item::Cell(cell), &lost));
        }
    }
}
