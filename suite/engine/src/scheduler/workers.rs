//! The worker processes of a run: starting, messages, exit.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::{Item, Options, ProgressLine};
use crate::error::{Error, Result};
use crate::store::RunFolder;

/// A worker's task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// Training a model, or evaluating a cell.
    Compute,
    /// Timing a cell that is done.
    Time,
}

/// Messages from workers.
pub(super) enum Message {
    /// A worker reports progress.
    Line(String, ProgressLine),
    /// A worker has closed its output, so it is about to exit.
    Closed(String),
}

struct Worker {
    child: Child,
    log: PathBuf,
    /// Length of the log when the worker began.
    logged: u64,
    /// Closing it asks the worker to stop.
    leash: Option<std::process::ChildStdin>,
}

/// The workers of a run, by the id of their item.
pub(super) struct Workers<'a> {
    folder: &'a RunFolder,
    options: &'a Options,
    working: BTreeMap<String, Worker>,
    messages: (Sender<Message>, Receiver<Message>),
}

impl<'a> Workers<'a> {
    pub fn new(folder: &'a RunFolder, options: &'a Options) -> Self {
        Self { folder, options, working: BTreeMap::new(), messages: channel() }
    }

    /// Number of running workers.
    pub fn len(&self) -> usize {
        self.working.len()
    }

    /// Asks all workers to stop.
    pub fn stop(&mut self) {
        self.working.values_mut().for_each(|worker| worker.leash = None);
    }

    /// The next message; `None` if there is none for a moment.
    pub fn hear(&self) -> Option<Message> {
        self.messages.1.recv_timeout(Duration::from_millis(100)).ok()
    }

    /// Starts a worker.
    pub fn start(&mut self, item: Item, errand: Errand) -> Result<()> {
        let id = item.id();
        let log = match item {
            Item::Model(_) => self.folder.model(id).file("log.txt"),
            Item::Cell(_) => self.folder.cell(id).file("log.txt"),
        };
        let file =
            OpenOptions::new().create(true).append(true).open(&log).map_err(Error::file(&log, "cannot be opened"))?;
        let logged = file.metadata().map_or(0, |log| log.len());
        let (program, arguments) =
            self.options.worker.split_first().ok_or_else(|| Error::Usage("no worker".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--run").arg(self.folder.path());
        command.arg(if item.is_cell() { "--cell" } else { "--model" }).arg(id);
        command.arg("--device").arg(&self.options.device);
        if errand == Errand::Time {
            command.arg("--time");
        }
        for plugin in &self.options.plugins {
            command.arg("--plugin").arg(plugin);
        }
        command.env("RAYON_NUM_THREADS", self.options.threads.max(1).to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
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
        self.working.insert(id.to_owned(), Worker { child, log, logged, leash });
        Ok(())
    }

    /// Waits for a worker that has closed its output. Returns its exit status, and the cause to report if it has
    /// failed.
    pub fn end(&mut self, id: &str) -> Result<Option<(ExitStatus, String)>> {
        let Some(mut worker) = self.working.remove(id) else { return Ok(None) };
        // `wait` closes a child's standard input, but not one that was taken: drop it first.
        worker.leash = None;
        let exit = worker.child.wait().map_err(Error::file(self.folder.path(), "worker cannot be waited for"))?;
        Ok(Some((exit, cause_of(exit, last_error(&worker)))))
    }
}

/// The last error that a worker wrote to its log.
fn last_error(worker: &Worker) -> Option<String> {
    let log = fs::read(&worker.log).ok()?;
    let said = String::from_utf8_lossy(log.get(worker.logged as usize..)?).into_owned();
    said.lines().rev().find_map(|line| line.strip_prefix("error: ")).map(str::to_owned)
}

/// Why a worker ended without a result.
fn cause_of(exit: ExitStatus, error: Option<String>) -> String {
    match (exit.signal(), error) {
        (Some(_), _) => format!("the worker {}", ended(exit)),
        (None, Some(error)) => format!("the worker {}: {error}", ended(exit)),
        (None, None) => format!("the worker {} before it had a result", ended(exit)),
    }
}

/// How a process ended, as the end of a sentence.
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
