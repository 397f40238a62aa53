//! Queue of the models and cells of a suite that are still to be computed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;

use super::workers::{Errand, Message, Workers};
use super::{Event, Item, Options, Summary};
use crate::error::{Error, Result};
use crate::plan::{Cell, Model, Start, Suite};
use crate::store::{Folder, Record, RunFolder, State, Status};

/// Something that a model or a cell waits for.
struct Need<'a> {
    /// Its role for the waiting item, such as `model`.
    what: &'static str,
    item: Item<'a>,
}

/// State of a folder.
enum Admission {
    /// It is done and verified.
    Done,
    /// It must be computed.
    Due,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

pub(super) struct Queue<'a> {
    models: BTreeMap<&'a str, &'a Model>,
    cells: BTreeMap<&'a str, &'a Cell>,
    folder: &'a RunFolder,
    options: &'a Options,
    workers: Workers<'a>,
    waiting: VecDeque<Item<'a>>,
    /// Items that wait or are in progress.
    pending: BTreeSet<&'a str>,
    /// Models whose folders have been examined.
    admitted: BTreeSet<&'a str>,
    /// Items whose folders could not be examined, with the reason.
    unreadable: BTreeMap<&'a str, String>,
    /// Items that a worker of this run computed itself, instead of waiting for another run.
    worked: BTreeSet<String>,
    /// Items that were stopped and can be resumed, and items that waited for them.
    stopped: BTreeSet<&'a str>,
    /// Cells that are done.
    done: Vec<&'a Cell>,
    pub summary: Summary,
}

impl<'a> Queue<'a> {
    pub fn new(suite: &'a Suite, folder: &'a RunFolder, options: &'a Options) -> Self {
        Self {
            models: suite.models.iter().map(|model| (model.id.as_str(), model)).collect(),
            cells: suite.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect(),
            folder,
            options,
            workers: Workers::new(folder, options),
            waiting: VecDeque::new(),
            pending: BTreeSet::new(),
            admitted: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            worked: BTreeSet::new(),
            stopped: BTreeSet::new(),
            done: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Queues a cell with its model unless it is done and verifies.
    pub fn admit_cell(&mut self, cell: &'a Cell, report: &mut dyn FnMut(Event)) -> Result<()> {
        let item = Item::Cell(cell);
        match self.admit(&self.folder.cell(&cell.id), &cell.plan, item, report)? {
            Admission::Done => {
                self.summary.done += 1;
                self.done.push(cell);
                report(Event::Kept(item));
            }
            Admission::Due => {
                if let Some(model) = self.models.get(cell.model.as_str()).copied() {
                    self.admit_model(model, report)?;
                }
                self.admit_models_of_source(cell.plan.source.as_deref(), report)?;
                self.queue(item);
            }
            Admission::Unreadable(_) => self.summary.failed += 1,
        }
        Ok(())
    }

    /// Queues a model, with the one that it starts from, unless it is done and verifies.
    fn admit_model(&mut self, model: &'a Model, report: &mut dyn FnMut(Event)) -> Result<()> {
        if !self.admitted.insert(&model.id) {
            return Ok(());
        }
        let item = Item::Model(model);
        match self.admit(&self.folder.model(&model.id), &model.plan, item, report)? {
            Admission::Done => {
                self.summary.reused += 1;
                report(Event::Kept(item));
            }
            Admission::Due => {
                if let Some(Start::Model(start)) = &model.plan.start
                    && let Some(start) = self.models.get(start.as_str()).copied()
                {
                    self.admit_model(start, report)?;
                }
                self.admit_models_of_source(model.plan.source.as_deref(), report)?;
                self.queue(item);
            }
            Admission::Unreadable(cause) => {
                self.unreadable.insert(&model.id, cause);
            }
        }
        Ok(())
    }

    /// Queues the models of a source: even if the source is done, its depths are computed again on its model by the
    /// cell that reads them.
    fn admit_models_of_source(&mut self, source: Option<&str>, report: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(cell) = source.and_then(|id| self.cells.get(id)).copied() else { return Ok(()) };
        if self.folder.cell(&cell.id).status().state != State::Done {
            return Ok(());
        }
        if let Some(model) = self.models.get(cell.model.as_str()).copied() {
            self.admit_model(model, report)?;
        }
        self.admit_models_of_source(cell.plan.source.as_deref(), report)
    }

    fn queue(&mut self, item: Item<'a>) {
        self.waiting.push_back(item);
        self.pending.insert(item.id());
    }

    /// Examines and prepares a folder. If it cannot be read or written, only this item fails.
    fn admit<R: Record>(
        &self,
        folder: &Folder<R>,
        plan: &R::Plan,
        item: Item<'a>,
        report: &mut dyn FnMut(Event),
    ) -> Result<Admission> {
        match self.ready(folder, plan, item, report) {
            // A file that cannot be read may still be intact.
            Err(error @ Error::File { .. }) => {
                report(Event::Unreadable(item, &error));
                Ok(Admission::Unreadable(error.to_string()))
            }
            other => other,
        }
    }

    /// Changes a folder only under its lock, and deletes results only if they are to be overwritten.
    fn ready<R: Record>(
        &self,
        folder: &Folder<R>,
        plan: &R::Plan,
        item: Item<'a>,
        report: &mut dyn FnMut(Event),
    ) -> Result<Admission> {
        // Another run may be working on it, or may have just finished; our worker waits until it ends.
        let Some(mut lock) = folder.claim()? else { return Ok(Admission::Due) };
        if self.options.overwrite {
            folder.clear()?;
            lock = reclaim(folder, lock)?;
        }
        match folder.result() {
            Ok(Some(_)) => {
                folder.settle()?;
                return Ok(Admission::Done);
            }
            Ok(None) => folder.create(plan)?,
            // A result that fails verification, or belongs to another cell or version, is computed again.
            Err(error @ Error::Damaged { .. }) => {
                let aside = folder.set_aside()?;
                lock = reclaim(folder, lock)?;
                folder.create(plan)?;
                folder.log(&format!("computed again: {error}; what was there is kept in {}", aside.display()))?;
                report(Event::Damaged(item, &error, &aside));
            }
            Err(error) => return Err(error),
        }
        folder.set_status(&Status::of(State::Pending))?;
        drop(lock);
        Ok(Admission::Due)
    }

    pub fn work(&mut self, signal: &dyn Fn() -> Option<i32>, report: &mut dyn FnMut(Event)) -> Result<()> {
        loop {
            if let (None, Some(number)) = (self.summary.interrupted, signal()) {
                self.summary.interrupted = Some(number);
                self.waiting.clear();
                self.workers.stop();
            }
            while self.workers.len() < self.options.jobs.max(1) {
                let Some(item) = self.next(report)? else { break };
                self.workers.start(item, Errand::Compute)?;
                report(Event::Started(item));
            }
            if self.workers.len() == 0 {
                return Ok(());
            }
            match self.workers.hear() {
                Some(Message::Line(id, line)) => {
                    report(Event::Progress(&id, &line));
                    self.worked.insert(id);
                }
                Some(Message::Closed(id)) => self.end(&id, report)?,
                None => report(Event::Idle),
            }
        }
    }

    /// The first waiting item whose needs are all done. Items with a need that can never be done fail.
    fn next(&mut self, report: &mut dyn FnMut(Event)) -> Result<Option<Item<'a>>> {
        let mut place = 0;
        while let Some(item) = self.waiting.get(place).copied() {
            let needs = self.needs(item);
            if needs.iter().any(|need| self.pending.contains(need.item.id())) {
                place += 1;
                continue;
            }
            self.waiting.remove(place);
            if needs.iter().any(|need| self.stopped.contains(need.item.id())) {
                self.record(item, &Status::of(State::Pending), report)?;
                continue;
            }
            match needs.iter().find_map(|need| self.obstacle(need)) {
                None => return Ok(Some(item)),
                Some(cause) => self.record(item, &Status::failed(cause), report)?,
            }
        }
        Ok(None)
    }

    fn needs(&self, item: Item<'a>) -> Vec<Need<'a>> {
        let model = |what, id: &str| self.models.get(id).map(|model| Need { what, item: Item::Model(model) });
        let cell = |what, id: &str| self.cells.get(id).map(|cell| Need { what, item: Item::Cell(cell) });
        let (first, mut source) = match item {
            Item::Model(own) => {
                let start = match &own.plan.start {
                    Some(Start::Model(id)) => model("start", id),
                    _ => None,
                };
                (start, own.plan.source.as_deref())
            }
            Item::Cell(own) => (model("model", &own.model), own.plan.source.as_deref()),
        };
        let mut found = vec![first];
        while let Some(own) = source.and_then(|id| self.cells.get(id)) {
            found.extend([cell("source", &own.id), model("source's model", &own.model)]);
            source = own.plan.source.as_deref();
        }
        found.into_iter().flatten().collect()
    }

    /// Why a need can never be met, if it cannot.
    fn obstacle(&self, need: &Need) -> Option<String> {
        let id = need.item.id();
        let (title, status) = match need.item {
            Item::Model(model) => (&model.title, self.folder.model(id).status()),
            Item::Cell(cell) => (&cell.label, self.folder.cell(id).status()),
        };
        let what = format!("its {} {title} ({id})", need.what);
        if let Some(cause) = self.unreadable.get(id) {
            return Some(format!("{what} cannot be read: {cause}"));
        }
        match (status.state, status.cause) {
            (State::Done, _) => None,
            (State::Failed, Some(cause)) if !need.item.is_cell() => Some(format!("{what} failed: {cause}")),
            (State::Failed, _) => Some(format!("{what} failed")),
            _ => Some(format!("{what} has not been run")),
        }
    }

    /// Times the finished cells without timings, one at a time, while nothing else of the run is working, so that cells
    /// do not disturb each other. A cell that cannot be timed stays done.
    pub fn time(&mut self, signal: &dyn Fn() -> Option<i32>, report: &mut dyn FnMut(Event)) -> Result<()> {
        if self.summary.interrupted.is_some() {
            return Ok(());
        }
        let untimed = |cell: &&Cell| self.folder.cell(&cell.id).timings().is_none_or(|timings| timings.speed.is_none());
        let due: Vec<&Cell> = self.done.iter().copied().filter(untimed).collect();
        for (place, cell) in due.iter().enumerate() {
            self.workers.start(Item::Cell(cell), Errand::Time)?;
            let ended = loop {
                if let (None, Some(number)) = (self.summary.interrupted, signal()) {
                    self.summary.interrupted = Some(number);
                    self.workers.stop();
                }
                match self.workers.hear() {
                    Some(Message::Line(..)) => {}
                    Some(Message::Closed(id)) => break self.workers.end(&id)?,
                    None => report(Event::Idle),
                }
            };
            if self.summary.interrupted.is_some() {
                return Ok(());
            }
            if let Some((_, cause)) = ended.filter(|(exit, _)| !exit.success()) {
                report(Event::Untimed(cell, cause));
            }
            report(Event::Timed(place + 1, due.len()));
        }
        Ok(())
    }

    fn end(&mut self, id: &str, report: &mut dyn FnMut(Event)) -> Result<()> {
        let Some((exit, cause)) = self.workers.end(id)? else { return Ok(()) };
        let item = match (self.models.get(id).copied(), self.cells.get(id).copied()) {
            (Some(model), _) => Item::Model(model),
            (None, Some(cell)) => Item::Cell(cell),
            (None, None) => return Ok(()),
        };
        let status = self.status(item);
        let status = match (status.state, exit.code()) {
            (State::Done | State::Failed, _) => status,
            (_, Some(129 | 130 | 143)) => Status::of(State::Pending),
            (State::Pending, _) if self.summary.interrupted.is_some() => Status::of(State::Pending),
            _ => Status::failed(cause),
        };
        self.record(item, &status, report)
    }

    fn status(&self, item: Item) -> Status {
        match item {
            Item::Model(model) => self.folder.model(&model.id).status(),
            Item::Cell(cell) => self.folder.cell(&cell.id).status(),
        }
    }

    fn record(&mut self, item: Item<'a>, status: &Status, report: &mut dyn FnMut(Event)) -> Result<()> {
        self.pending.remove(item.id());
        // The worker has recorded its status, unless it was killed.
        if self.status(item) != *status {
            match item {
                Item::Model(model) => self.folder.model(&model.id).set_status(status)?,
                Item::Cell(cell) => self.folder.cell(&cell.id).set_status(status)?,
            }
        }
        match (item, status.state) {
            (Item::Model(model), State::Done) if self.worked.contains(&model.id) => self.summary.trained += 1,
            (Item::Model(_), State::Done) => self.summary.reused += 1,
            (Item::Cell(cell), State::Done) => {
                self.summary.done += 1;
                self.done.push(cell);
            }
            (Item::Cell(_), State::Failed) => self.summary.failed += 1,
            (_, State::Pending | State::Running) => {
                self.stopped.insert(item.id());
            }
            (Item::Model(_), State::Failed) => {}
        }
        report(Event::Ended(item, status));
        Ok(())
    }
}

/// Takes the lock of a folder that was moved away together with the lock held on it.
fn reclaim<R: Record>(folder: &Folder<R>, held: File) -> Result<File> {
    let lock = folder.claim()?;
    drop(held);
    lock.ok_or_else(|| Error::Cell(format!("{}: another process is working on it", folder.path().display())))
}
