//! The worker processes of a run: starting, messages, limits, exit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::limits::{Clock, Due};
use super::{Event, Item, Options, WorkerLine};
use crate::error::{Error, Result};
use crate::process::{self, Ending, Log, ParentDeath, Process, ended};
use crate::store::RunFolder;

/// Messages that may wait. A worker that prints faster than they are heard has to wait.
const WAITING: usize = 256;

/// Interval at which the limits are looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// A worker's task.
pub(super) enum Errand {
    /// Training a model, or evaluating a cell, in this folder.
    Compute(PathBuf),
    /// Timing a cell that is done.
    Time,
}

/// Messages from workers.
pub(super) enum Message {
    /// A worker says something.
    Line(String, WorkerLine),
    /// A worker has ended.
    Ended(String, Ending),
}

/// A limit at which a worker was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It hung for this long.
    Hung(Duration),
    /// It had used up the time of a cell.
    OutOfTime(Duration),
}

struct Worker<'a> {
    process: Process,
    item: Item<'a>,
    clock: Clock,
    /// Why it failed, if it said so.
    failed: Option<String>,
    stop: Option<Stop>,
}

/// How a worker ended.
pub(super) struct End {
    /// Exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Why it has no result, if it has none.
    pub cause: String,
    /// The limit at which it was ended.
    pub stop: Option<Stop>,
}

/// The workers of a run, by the id of their item.
pub(super) struct Workers<'a> {
    folder: &'a RunFolder,
    options: &'a Options,
    working: BTreeMap<String, Worker<'a>>,
    messages: (SyncSender<Message>, Receiver<Message>),
}

impl<'a> Workers<'a> {
    pub fn new(folder: &'a RunFolder, options: &'a Options) -> Self {
        Self { folder, options, working: BTreeMap::new(), messages: sync_channel(WAITING) }
    }

    /// Number of running workers.
    pub fn len(&self) -> usize {
        self.working.len()
    }

    /// Whether a worker is at this item.
    pub fn has(&self, id: &str) -> bool {
        self.working.contains_key(id)
    }

    /// Asks all workers to stop.
    pub fn stop(&mut self) {
        for worker in self.working.values_mut() {
            worker.process.ask_to_stop();
            worker.clock.ask();
        }
    }

    /// The next message; `None` if there is none for a moment.
    pub fn hear(&mut self) -> Option<Message> {
        let message = match self.messages.1.recv_timeout(PAUSE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        if let Message::Line(id, line) = &message
            && let Some(worker) = self.working.get_mut(id)
        {
            worker.clock.progress();
            if let WorkerLine::Failed(cause) = line {
                worker.failed = Some(cause.clone());
            }
        }
        Some(message)
    }

    /// Ends the workers that have reached a limit, and warns before.
    pub fn limit(&mut self, report: &mut dyn FnMut(Event)) {
        for worker in self.working.values_mut() {
            match worker.clock.due(&self.options.limits) {
                Due::Nothing => {}
                Due::Warning(limit, flag) => report(Event::Slow(worker.item, limit, flag)),
                Due::Kill => worker.process.kill(),
                Due::Hangs(limit) => {
                    worker.stop.get_or_insert(Stop::Hung(limit));
                    worker.process.kill();
                }
                Due::OutOfTime(limit) => {
                    worker.stop.get_or_insert(Stop::OutOfTime(limit));
                    worker.process.ask_to_stop();
                    worker.clock.ask();
                }
            }
        }
    }

    /// Starts a worker, whose output goes to `log`.
    pub fn start(&mut self, item: Item<'a>, errand: &Errand, log: &Path) -> Result<()> {
        let id = item.id();
        let (program, arguments) =
            self.options.worker.split_first().ok_or_else(|| Error::Usage("no worker".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--run").arg(self.folder.path());
        command.arg(if item.is_cell() { "--cell" } else { "--model" }).arg(id);
        command.arg("--device").arg(&self.options.device);
        match errand {
            Errand::Compute(work) => command.arg("--work").arg(work),
            Errand::Time => command.arg("--time"),
        };
        if self.options.isolate {
            command.arg("--isolate");
        }
        for plugin in &self.options.plugins {
            command.arg("--plugin").arg(plugin);
        }
        command.env("RAYON_NUM_THREADS", self.options.threads.max(1).to_string());
        let (sender, name) = (self.messages.0.clone(), id.to_owned());
        let hear = move |event: process::Event| match event {
            process::Event::Line(line) => {
                serde_json::from_slice(&line).is_ok_and(|line| sender.send(Message::Line(name.clone(), line)).is_ok())
            }
            process::Event::Ended(ending) => sender.send(Message::Ended(name.clone(), ending)).is_ok(),
        };
        let process = Process::start(&mut command, ParentDeath::Terminate, Log::at(log)?, hear)
            .map_err(|error| Error::Cell(format!("{}: cannot be started: {error}", program.display())))?;
        let worker = Worker { process, item, clock: Clock::start(), failed: None, stop: None };
        self.working.insert(id.to_owned(), worker);
        Ok(())
    }

    /// Forgets a worker that has ended; `None` if there is none of this id.
    pub fn end(&mut self, id: &str, ending: &Ending) -> Option<End> {
        let worker = self.working.remove(id)?;
        let how = ended(ending.exit);
        let cause = match (worker.stop, worker.failed, &ending.error) {
            (Some(Stop::Hung(limit)), ..) => {
                format!("the worker made no progress for {} s and was ended (--step-timeout)", limit.as_secs_f64())
            }
            (Some(Stop::OutOfTime(limit)), ..) => {
                format!("the worker took longer than {} s and was stopped (--cell-timeout)", limit.as_secs_f64())
            }
            (None, Some(cause), _) => cause,
            (None, None, Some(error)) if ending.exit.code().is_some() => format!("the worker {how}: {error}"),
            (None, None, _) if ending.exit.code().is_none() => format!("the worker {how}"),
            (None, None, _) => format!("the worker {how} before it had a result"),
        };
        Some(End { code: ending.exit.code(), cause, stop: worker.stop })
    }
}
