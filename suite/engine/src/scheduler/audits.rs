//! The process that audits results, one after the other. It is started when it is needed, and again when it dies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::process::{self, Ending, Log, ParentDeath, Process, ended};
use crate::store::RunFolder;

/// A result that is to be audited: a line on the auditor's standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditQuestion {
    /// The cell.
    pub cell: String,
    /// The folder with its result.
    pub work: PathBuf,
}

/// A line that an auditor prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnswer {
    /// The cell.
    pub cell: String,
    /// What is wrong with its result, if anything is.
    pub fault: Option<String>,
}

/// Audits of a run.
pub(super) struct Audits<'a> {
    folder: &'a RunFolder,
    /// Program and arguments of an auditor.
    command: &'a [OsString],
    limit: Duration,
    running: Option<(Process, ChildStdin)>,
    /// What the auditor has been asked, in order.
    asked: VecDeque<AuditQuestion>,
    /// Since when it has been at the first question.
    since: Instant,
    events: (SyncSender<Heard>, Receiver<Heard>),
}

enum Heard {
    Answer(AuditAnswer),
    Ended(Ending),
}

impl<'a> Audits<'a> {
    pub fn new(folder: &'a RunFolder, command: &'a [OsString], limit: Duration) -> Self {
        let (running, asked) = (None, VecDeque::new());
        Self { folder, command, limit, running, asked, since: Instant::now(), events: sync_channel(64) }
    }

    /// Whether an answer is still due.
    pub fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Asks for an audit.
    pub fn ask(&mut self, question: AuditQuestion) -> Result<()> {
        if self.asked.is_empty() {
            self.since = Instant::now();
        }
        self.asked.push_back(question);
        self.say(self.asked.len() - 1)
    }

    /// Ends the auditor.
    pub fn stop(&mut self) {
        self.running = None;
        self.asked.clear();
    }

    /// The next answer, if there is one. A cell whose audit ends the auditor, or takes too long, has a fault.
    pub fn hear(&mut self) -> Result<Option<AuditAnswer>> {
        let fault = match self.events.1.try_recv() {
            Ok(Heard::Answer(answer)) if self.asked.front().is_some_and(|first| first.cell == answer.cell) => {
                self.asked.pop_front();
                self.since = Instant::now();
                return Ok(Some(answer));
            }
            // A line that a task or a backbone has printed.
            Ok(Heard::Answer(_)) => return Ok(None),
            Ok(Heard::Ended(ending)) => format!("the auditor {}", ended(ending.exit)),
            Err(_) if self.is_waiting() && self.since.elapsed() > self.limit => {
                format!("the audit took longer than {} s (--step-timeout)", self.limit.as_secs_f64())
            }
            Err(_) => return Ok(None),
        };
        self.running = None;
        self.events = sync_channel(64);
        let Some(first) = self.asked.pop_front() else { return Ok(None) };
        self.since = Instant::now();
        self.say(0)?;
        Ok(Some(AuditAnswer { cell: first.cell, fault: Some(fault) }))
    }

    /// Sends the questions from place `from` on, to an auditor that is started if there is none. If it cannot read them,
    /// its end is heard later.
    fn say(&mut self, from: usize) -> Result<()> {
        let is_new = self.running.is_none();
        if is_new && self.asked.is_empty() {
            return Ok(());
        }
        if is_new {
            self.running = Some(self.start()?);
        }
        let Some((_, input)) = &mut self.running else { return Ok(()) };
        for question in self.asked.iter().skip(if is_new { 0 } else { from }) {
            let mut text = serde_json::to_vec(question).unwrap_or_default();
            text.push(b'\n');
            let _ = input.write_all(&text).and_then(|()| input.flush());
        }
        Ok(())
    }

    fn start(&self) -> Result<(Process, ChildStdin)> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| Error::Usage("no auditor".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--run").arg(self.folder.path());
        let sender = self.events.0.clone();
        let hear = move |event: process::Event| match event {
            process::Event::Line(line) => {
                serde_json::from_slice(&line).is_ok_and(|answer| sender.send(Heard::Answer(answer)).is_ok())
            }
            process::Event::Ended(ending) => sender.send(Heard::Ended(ending)).is_ok(),
        };
        let unstartable = |error| Error::Usage(format!("{}: cannot be started: {error}", program.display()));
        let mut process = Process::start(&mut command, ParentDeath::Kill, Log::none(), hear).map_err(unstartable)?;
        let input = process.take_input().ok_or_else(|| Error::Usage("an auditor has no input".to_owned()))?;
        Ok((process, input))
    }
}
