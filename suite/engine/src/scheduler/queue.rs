//! Queue of the models and cells of a suite that are still to be computed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::admission::{Admission, Turn, examine, prepare, set_status, status};
use super::audits::Audits;
use super::workers::{Errand, Message, Workers};
use super::{Event, Item, Options, Summary, WorkerLine};
use crate::error::Result;
use crate::plan::{Cell, Model, Start, Suite};
use crate::store::{Claim, Claims, RunFolder, State, Status};

/// Interval at which an item that another run works on is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Something that a model or a cell waits for.
struct Need<'a> {
    /// Its role for the waiting item, such as `model`.
    what: &'static str,
    item: Item<'a>,
}

pub(super) struct Queue<'a> {
    models: BTreeMap<&'a str, &'a Model>,
    cells: BTreeMap<&'a str, &'a Cell>,
    pub(super) folder: &'a RunFolder,
    options: &'a Options,
    signal: &'a dyn Fn() -> Option<i32>,
    pub(super) workers: Workers<'a>,
    pub(super) audits: Audits<'a>,
    pub(super) claims: Claims,
    /// Claims of the items that workers compute.
    pub(super) claimed: BTreeMap<String, Claim>,
    waiting: VecDeque<Item<'a>>,
    /// Items that another run works on, and when they were last tried.
    elsewhere: BTreeMap<&'a str, Instant>,
    /// Items that wait or are in progress.
    pub(super) pending: BTreeSet<&'a str>,
    /// Status of every queued item when the run began.
    before: BTreeMap<&'a str, Status>,
    /// Models whose folders have been examined.
    admitted: BTreeSet<&'a str>,
    /// Items whose folders could not be examined, with the reason.
    unreadable: BTreeMap<&'a str, String>,
    /// Items that a worker of this run computed.
    pub(super) worked: BTreeSet<String>,
    /// Items that were stopped and can be resumed, and items that waited for them.
    pub(super) stopped: BTreeSet<&'a str>,
    /// Cells that are done.
    pub(super) done: Vec<&'a Cell>,
    /// Hash of the result of each cell that is done.
    pub(super) results: BTreeMap<&'a str, Option<String>>,
    pub summary: Summary,
}

impl<'a> Queue<'a> {
    pub fn new(
        suite: &'a Suite,
        folder: &'a RunFolder,
        options: &'a Options,
        signal: &'a dyn Fn() -> Option<i32>,
    ) -> Self {
        Self {
            models: suite.models.iter().map(|model| (model.id.as_str(), model)).collect(),
            cells: suite.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect(),
            folder,
            options,
            signal,
            workers: Workers::new(folder, options),
            audits: Audits::new(folder, &options.auditor, options.limits.step),
            claims: Claims::new(),
            claimed: BTreeMap::new(),
            waiting: VecDeque::new(),
            elsewhere: BTreeMap::new(),
            pending: BTreeSet::new(),
            before: BTreeMap::new(),
            admitted: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            worked: BTreeSet::new(),
            stopped: BTreeSet::new(),
            done: Vec::new(),
            results: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// The model or cell of this id.
    pub(super) fn item(&self, id: &str) -> Option<Item<'a>> {
        let model = self.models.get(id).copied().map(Item::Model);
        model.or_else(|| self.cells.get(id).copied().map(Item::Cell))
    }

    /// Whether a signal has asked to stop.
    pub(super) fn is_interrupted(&self) -> bool {
        self.summary.interrupted.is_some() || (self.signal)().is_some()
    }

    /// Queues a cell with its model unless it is done and verifies.
    pub fn admit_cell(&mut self, cell: &'a Cell, report: &mut dyn FnMut(Event)) -> Result<()> {
        let item = Item::Cell(cell);
        match self.admit(item, report)? {
            Admission::Done => {
                self.summary.done += 1;
                self.done.push(cell);
                self.results.insert(&cell.id, status(self.folder, item).result);
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
        match self.admit(item, report)? {
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
        self.before.insert(item.id(), status(self.folder, item));
    }

    /// Examines a folder. If it cannot be read, only this item fails.
    fn admit(&self, item: Item<'a>, report: &mut dyn FnMut(Event)) -> Result<Admission> {
        match item {
            Item::Model(model) => examine(&self.folder.model(&model.id), (item, self.options.overwrite), report),
            Item::Cell(cell) => examine(&self.folder.cell(&cell.id), (item, self.options.overwrite), report),
        }
    }

    pub fn work(&mut self, report: &mut dyn FnMut(Event)) -> Result<()> {
        loop {
            if let (None, Some(number)) = (self.summary.interrupted, (self.signal)()) {
                self.summary.interrupted = Some(number);
                self.waiting.clear();
                self.workers.stop();
                self.audits.stop();
                self.claimed.retain(|id, _| self.workers.has(id));
            }
            while self.workers.len() < self.options.jobs.max(1) {
                let Some(item) = self.next(report)? else { break };
                report(Event::Started(item));
            }
            self.workers.limit(report);
            while let Some(answer) = self.audits.hear()? {
                self.audited(&answer, report)?;
            }
            if self.workers.len() == 0 && self.waiting.is_empty() && !self.audits.is_waiting() {
                // The workers of a terminal's process group may have heard of the signal first.
                self.summary.interrupted = self.summary.interrupted.or_else(self.signal);
                return Ok(());
            }
            match self.workers.hear() {
                Some(Message::Line(id, WorkerLine::Progress(line))) => {
                    report(Event::Progress(&id, &line));
                    self.worked.insert(id);
                }
                Some(Message::Line(..)) => {}
                Some(Message::Ended(id, ending)) => self.end(&id, &ending, report)?,
                None => report(Event::Idle),
            }
        }
    }

    /// Starts a worker on the first waiting item whose needs are all done and that no other run works on. Items with a
    /// need that can never be done fail.
    fn next(&mut self, report: &mut dyn FnMut(Event)) -> Result<Option<Item<'a>>> {
        let mut place = 0;
        while let Some(item) = self.waiting.get(place).copied() {
            let needs = self.needs(item);
            let is_due = self.elsewhere.get(item.id()).is_none_or(|tried| tried.elapsed() > AGAIN);
            if !is_due || needs.iter().any(|need| self.pending.contains(need.item.id())) {
                place += 1;
                continue;
            }
            if needs.iter().any(|need| self.stopped.contains(need.item.id())) {
                self.waiting.remove(place);
                self.record(item, &Status::of(State::Pending), report)?;
                continue;
            }
            if let Some(cause) = needs.iter().find_map(|need| self.obstacle(need)) {
                self.waiting.remove(place);
                let status = Status::failed(cause);
                set_status(self.folder, item, &status)?;
                self.record(item, &status, report)?;
                continue;
            }
            match self.turn(item, report)? {
                Turn::Elsewhere => {
                    if self.elsewhere.insert(item.id(), Instant::now()).is_none() {
                        report(Event::Elsewhere(item));
                    }
                    place += 1;
                }
                Turn::Finished(status) => {
                    self.waiting.remove(place);
                    self.record(item, &status, report)?;
                }
                Turn::Unreadable(error) => {
                    self.waiting.remove(place);
                    report(Event::Unreadable(item, &error));
                    self.pending.remove(item.id());
                    match item {
                        Item::Model(model) => {
                            self.unreadable.insert(&model.id, error.to_string());
                        }
                        Item::Cell(_) => self.summary.failed += 1,
                    }
                }
                Turn::Ready(claim, work) => {
                    self.waiting.remove(place);
                    let log = match item {
                        Item::Model(model) => self.folder.model(&model.id).file("log.txt"),
                        Item::Cell(cell) => self.folder.cell(&cell.id).file("log.txt"),
                    };
                    self.workers.start(item, &Errand::Compute(work), &log)?;
                    self.claimed.insert(item.id().to_owned(), claim);
                    return Ok(Some(item));
                }
            }
        }
        Ok(None)
    }

    /// Claims the folder of an item.
    fn turn(&self, item: Item<'a>, report: &mut dyn FnMut(Event)) -> Result<Turn> {
        let unknown = Status::of(State::Pending);
        let before = (self.before.get(item.id()).unwrap_or(&unknown), self.options.overwrite);
        match item {
            Item::Model(model) => {
                prepare((&self.folder.model(&model.id), &model.plan, item), &self.claims, before, report)
            }
            Item::Cell(cell) => prepare((&self.folder.cell(&cell.id), &cell.plan, item), &self.claims, before, report),
        }
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
        let title = match need.item {
            Item::Model(model) => &model.title,
            Item::Cell(cell) => &cell.label,
        };
        let what = format!("its {} {title} ({id})", need.what);
        if let Some(cause) = self.unreadable.get(id) {
            return Some(format!("{what} cannot be read: {cause}"));
        }
        let Status { state, cause, .. } = status(self.folder, need.item);
        match (state, cause) {
            (State::Done, _) => None,
            (State::Failed, Some(cause)) if !need.item.is_cell() => Some(format!("{what} failed: {cause}")),
            (State::Failed, _) => Some(format!("{what} failed")),
            _ => Some(format!("{what} has not been run")),
        }
    }
}
