//! Runs the cells of a suite, each in a process of its own, as many at a time as there are cores to share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::monitor::Stage;
use crate::plan::{CellPlan, Suite};
use crate::store::{CellFolder, RunFolder, State, Status, TrainingLine};

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

/// What happens while a suite runs.
pub enum Event<'a> {
    /// A cell is done already and is left as it is.
    Kept(&'a str, &'a CellPlan),
    /// What a cell has recorded does not verify, for this reason: it is computed again, and kept in this folder.
    Damaged(&'a CellPlan, &'a Error, &'a Path),
    /// What a cell has recorded cannot be read, for this reason: it is left as it is.
    Unreadable(&'a CellPlan, &'a Error),
    /// A worker has started on a cell.
    Started(&'a str, &'a CellPlan),
    /// A worker reports.
    Progress(&'a str, &'a ProgressLine),
    /// A cell has ended: done, or failed for a reason, or stopped in order to be resumed.
    Ended(&'a str, &'a CellPlan, &'a Status),
    /// Cells that are done have been timed, out of those that are to be.
    Timed(usize, usize),
    /// A cell that is done could not be timed, for this reason.
    Untimed(&'a CellPlan, String),
    /// Nothing happened for a moment.
    Idle,
}

/// How to run a suite.
pub struct Options {
    /// Program and arguments of a worker, before the cell's own.
    pub worker: Vec<OsString>,
    /// Plugins that workers load by name.
    pub plugins: Vec<PathBuf>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Workers at a time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Whether finished cells are computed again.
    pub overwrite: bool,
}

/// How a run ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cells that are done.
    pub done: usize,
    /// Cells that failed.
    pub failed: usize,
    /// The signal that stopped the run.
    pub interrupted: Option<i32>,
}

struct Worker {
    child: Child,
    /// Length of the cell's log when the worker began.
    logged: u64,
    /// Closing it asks the worker to stop.
    _leash: Option<std::process::ChildStdin>,
}

/// What a worker is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errand {
    /// Computing a cell.
    Compute,
    /// Timing a cell that is done.
    Time,
}

enum Message {
    Line(String, ProgressLine),
    Closed(String),
}

/// Runs the cells of `suite` that `wanted` names; `signal` tells whether somebody asked to stop.
///
/// # Errors
/// If the run folder cannot be used or a worker cannot be started. A failed cell is not an error of the run.
pub fn run(
    suite: &Suite,
    folder: &RunFolder,
    wanted: &dyn Fn(&str, &CellPlan) -> bool,
    options: &Options,
    signal: &dyn Fn() -> Option<i32>,
    report: &mut dyn FnMut(Event),
) -> Result<Summary> {
    folder.prepare()?;
    let mut schedule = Schedule::new(suite, folder, options);
    for (id, plan) in suite.cells.iter().filter(|(id, plan)| wanted(id, plan)) {
        schedule.admit(id, plan, report)?;
    }
    schedule.work(signal, report)?;
    schedule.time(signal, report)?;
    Ok(schedule.summary)
}

struct Schedule<'a> {
    plans: BTreeMap<&'a str, &'a CellPlan>,
    folder: &'a RunFolder,
    options: &'a Options,
    waiting: Vec<&'a str>,
    working: BTreeMap<String, Worker>,
    messages: (Sender<Message>, Receiver<Message>),
    /// Cells that are done.
    done: Vec<&'a str>,
    summary: Summary,
}

impl<'a> Schedule<'a> {
    fn new(suite: &'a Suite, folder: &'a RunFolder, options: &'a Options) -> Self {
        Self {
            plans: suite.cells.iter().map(|(id, plan)| (id.as_str(), plan)).collect(),
            folder,
            options,
            waiting: Vec::new(),
            working: BTreeMap::new(),
            messages: channel(),
            done: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Queues a cell unless it is done and verifies. Nothing of a cell is touched without its lock, and nothing that was
    /// computed is deleted unless it is to be overwritten.
    fn admit(&mut self, id: &'a str, plan: &'a CellPlan, report: &mut dyn FnMut(Event)) -> Result<()> {
        let cell = self.folder.cell(id);
        let mut lock = match cell.claim() {
            Ok(Some(lock)) => lock,
            // Another run is at work on it, or has just finished; a worker of ours waits for its end.
            Ok(None) => {
                self.waiting.push(id);
                return Ok(());
            }
            Err(error) => {
                self.summary.failed += 1;
                report(Event::Unreadable(plan, &error));
                return Ok(());
            }
        };
        if self.options.overwrite {
            cell.clear()?;
            lock = self.reclaim(&cell, lock)?;
        }
        match cell.result() {
            Ok(Some(_)) => {
                cell.settle()?;
                self.summary.done += 1;
                self.done.push(id);
                report(Event::Kept(id, plan));
                return Ok(());
            }
            Ok(None) => cell.create(plan)?,
            // What does not verify, or is of another cell or version, is computed again.
            Err(error @ Error::Damaged { .. }) => {
                let aside = cell.set_aside()?;
                lock = self.reclaim(&cell, lock)?;
                cell.create(plan)?;
                cell.log(&format!("computed again: {error}; what was there is kept in {}", aside.display()))?;
                report(Event::Damaged(plan, &error, &aside));
            }
            // What cannot be read may be whole.
            Err(error @ Error::File { .. }) => {
                self.summary.failed += 1;
                report(Event::Unreadable(plan, &error));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        cell.set_status(&Status::of(State::Pending))?;
        drop(lock);
        self.waiting.push(id);
        Ok(())
    }

    /// The lock of a cell whose folder is gone with the lock that was held on it.
    fn reclaim(&self, cell: &CellFolder, held: File) -> Result<File> {
        let lock = cell.claim()?;
        drop(held);
        lock.ok_or_else(|| Error::Cell(format!("{}: another process is at work on this cell", cell.path().display())))
    }

    fn work(&mut self, signal: &dyn Fn() -> Option<i32>, report: &mut dyn FnMut(Event)) -> Result<()> {
        loop {
            if let (None, Some(number)) = (self.summary.interrupted, signal()) {
                self.summary.interrupted = Some(number);
                self.waiting.clear();
                for worker in self.working.values_mut() {
                    worker._leash = None;
                }
            }
            while self.working.len() < self.options.jobs.max(1) {
                let Some(id) = self.next(report)? else { break };
                self.start(id, Errand::Compute)?;
                report(Event::Started(id, self.plans[id]));
            }
            if self.working.is_empty() {
                return Ok(());
            }
            match self.messages.1.recv_timeout(Duration::from_millis(100)) {
                Ok(Message::Line(id, line)) => report(Event::Progress(&id, &line)),
                Ok(Message::Closed(id)) => self.end(&id, report)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => report(Event::Idle),
            }
        }
    }

    /// The first waiting cell whose source, if it has one, is done. A cell whose source cannot be done fails.
    fn next(&mut self, report: &mut dyn FnMut(Event)) -> Result<Option<&'a str>> {
        let mut place = 0;
        while place < self.waiting.len() {
            let id = self.waiting[place];
            let plan = self.plans[id];
            let Some(source) = &plan.source else {
                self.waiting.remove(place);
                return Ok(Some(id));
            };
            let queued = self.waiting.contains(&source.cell.as_str()) || self.working.contains_key(&source.cell);
            if queued {
                place += 1;
                continue;
            }
            self.waiting.remove(place);
            let status = self.folder.cell(&source.cell).status();
            if status.state == State::Done {
                return Ok(Some(id));
            }
            let cause = match status.state {
                State::Failed => format!("its source {} ({}) failed", source.label, source.cell),
                _ => format!("its source {} ({}) has not been run", source.label, source.cell),
            };
            self.record(id, &Status::failed(cause), report)?;
        }
        Ok(None)
    }

    /// Times the cells that are done and have not been timed, one after the other: nothing else of the run is at work, so
    /// that a time depends on no other cell. A cell that cannot be timed stays done.
    fn time(&mut self, signal: &dyn Fn() -> Option<i32>, report: &mut dyn FnMut(Event)) -> Result<()> {
        if self.summary.interrupted.is_some() {
            return Ok(());
        }
        let untimed = |id: &&str| self.folder.cell(id).timings().is_none_or(|timings| timings.speed.is_none());
        let due: Vec<&str> = self.done.iter().copied().filter(untimed).collect();
        for (place, id) in due.iter().enumerate() {
            self.start(id, Errand::Time)?;
            let failure = loop {
                if let (None, Some(number)) = (self.summary.interrupted, signal()) {
                    self.summary.interrupted = Some(number);
                    self.working.values_mut().for_each(|worker| worker._leash = None);
                }
                match self.messages.1.recv_timeout(Duration::from_millis(100)) {
                    Ok(Message::Line(..)) => {}
                    Ok(Message::Closed(id)) => break self.timed(&id)?,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => report(Event::Idle),
                }
            };
            if self.summary.interrupted.is_some() {
                return Ok(());
            }
            if let Some(cause) = failure {
                report(Event::Untimed(self.plans[id], cause));
            }
            report(Event::Timed(place + 1, due.len()));
        }
        Ok(())
    }

    /// Waits for the end of a worker that timed a cell; why it did not, if so.
    fn timed(&mut self, id: &str) -> Result<Option<String>> {
        let Some(mut worker) = self.working.remove(id) else { return Ok(None) };
        worker._leash = None;
        let exit = worker.child.wait().map_err(Error::file(self.folder.path(), "worker cannot be waited for"))?;
        Ok((!exit.success()).then(|| cause_of(exit, self.last_error(id, worker.logged))))
    }

    fn start(&mut self, id: &'a str, errand: Errand) -> Result<()> {
        let log = self.folder.cell(id).file("log.txt");
        let log =
            OpenOptions::new().create(true).append(true).open(&log).map_err(Error::file(&log, "cannot be opened"))?;
        let logged = log.metadata().map_or(0, |log| log.len());
        let (program, arguments) =
            self.options.worker.split_first().ok_or_else(|| Error::Usage("no worker".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--run").arg(self.folder.path()).arg("--cell").arg(id);
        command.arg("--device").arg(&self.options.device);
        if errand == Errand::Time {
            command.arg("--time");
        }
        for plugin in &self.options.plugins {
            command.arg("--plugin").arg(plugin);
        }
        command.env("RAYON_NUM_THREADS", self.options.threads.max(1).to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command
            .spawn()
            .map_err(|error| Error::Usage(format!("{}: cannot be started: {error}", program.display())))?;
        let lines = child.stdout.take();
        let (sender, name) = (self.messages.0.clone(), id.to_owned());
        thread::spawn(move || {
            for line in lines.into_iter().flat_map(|lines| BufReader::new(lines).lines().map_while(|line| line.ok())) {
                if let Ok(line) = serde_json::from_str(&line) {
                    let _ = sender.send(Message::Line(name.clone(), line));
                }
            }
            let _ = sender.send(Message::Closed(name));
        });
        let leash = child.stdin.take();
        self.working.insert(id.to_owned(), Worker { child, logged, _leash: leash });
        Ok(())
    }

    fn end(&mut self, id: &str, report: &mut dyn FnMut(Event)) -> Result<()> {
        let Some(mut worker) = self.working.remove(id) else { return Ok(()) };
        // The worker has closed its output and so is ending; a leash of its own could not be let go of later.
        worker._leash = None;
        let exit = worker.child.wait().map_err(Error::file(self.folder.path(), "worker cannot be waited for"))?;
        let status = self.folder.cell(id).status();
        let status = match (status.state, exit.code()) {
            (State::Done | State::Failed, _) => status,
            (_, Some(130 | 143)) => Status::of(State::Pending),
            (State::Pending, _) if self.summary.interrupted.is_some() => Status::of(State::Pending),
            _ => Status::failed(cause_of(exit, self.last_error(id, worker.logged))),
        };
        let Some((id, _)) = self.plans.get_key_value(id) else { return Ok(()) };
        let id = *id;
        self.record(id, &status, report)
    }

    /// The last error that a worker wrote to its cell's log, which was `logged` bytes long when it began.
    fn last_error(&self, id: &str, logged: u64) -> Option<String> {
        let log = fs::read(self.folder.cell(id).file("log.txt")).ok()?;
        let said = String::from_utf8_lossy(log.get(logged as usize..)?).into_owned();
        said.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned)
    }

    fn record(&mut self, id: &'a str, status: &Status, report: &mut dyn FnMut(Event)) -> Result<()> {
        let cell = self.folder.cell(id);
        // The worker has recorded how it ended, unless something ended it.
        if cell.status() != *status {
            cell.set_status(status)?;
        }
        match status.state {
            State::Done => {
                self.summary.done += 1;
                self.done.push(id);
            }
            State::Failed => self.summary.failed += 1,
            State::Pending | State::Running => {}
        }
        report(Event::Ended(id, self.plans[id], status));
        Ok(())
    }
}

/// Why a worker ended without a result.
fn cause_of(exit: ExitStatus, error: Option<String>) -> String {
    match (exit.signal(), error) {
        (Some(_), _) => format!("the worker {}", ended(exit)),
        (None, Some(error)) => format!("the worker {}: {error}", ended(exit)),
        (None, None) => format!("the worker {} before it had a result", ended(exit)),
    }
}

/// How a process ended, as the rest of a sentence about it.
pub(crate) fn ended(exit: ExitStatus) -> String {
    match (exit.signal(), exit.code()) {
        (Some(signal), _) => format!("was killed by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "SIGILL, an illegal instruction",
        6 => "SIGABRT, it aborted",
        7 => "SIGBUS, a bad memory access",
        8 => "SIGFPE, an arithmetic fault",
        9 => "SIGKILL, by somebody or for want of memory",
        11 => "SIGSEGV, a bad memory access or a stack overflow",
        15 => "SIGTERM",
        _ => "see `kill -l`",
    }
}
