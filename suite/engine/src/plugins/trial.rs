//! Libraries are opened first in a child process, because opening one runs its constructors.
//!
//! A library that is damaged, or means harm, can end the process that opens it, or hang. So before a program opens any
//! library, a child opens all of them, one after the other, and reads everything that they declare. What ends or stops
//! the child is never opened here. Workers and rehearsals open libraries without a trial: they are children themselves.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::file::FileIdentity;
use super::load::load;
use super::verdict;
use crate::process::{self, Event, Log, ParentDeath, Process, ended};

/// The longest that opening a library may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Program and first arguments of a child that tries libraries.
static PROGRAM: OnceLock<Vec<OsString>> = OnceLock::new();

/// A line that a child prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TrialLine {
    /// The library of this index is about to be opened.
    Begun(usize),
    /// All libraries were opened or refused.
    Finished,
}

/// From now on, libraries are opened in a child first, which `program` starts: its arguments are followed by the
/// libraries, and it calls [`perform`].
pub fn in_children_of(program: Vec<OsString>) {
    // If it is called twice, the first program stays.
    let _ = PROGRAM.set(program);
}

/// Opens libraries in this process, which reads what they declare.
pub fn perform(files: &[PathBuf]) {
    verdict::become_child();
    for (number, file) in files.iter().enumerate() {
        process::say(&TrialLine::Begun(number));
        // The parent finds out for itself why a library is refused.
        let _ = load(file);
    }
    process::say(&TrialLine::Finished);
}

/// Tries those of `files` that have not been tried yet, if this program tries libraries.
pub(super) fn attempt<'a>(files: impl Iterator<Item = &'a Path>) {
    let Some(program) = PROGRAM.get() else { return };
    let mut known = BTreeSet::new();
    let mut due: Vec<PathBuf> = Vec::new();
    for file in files {
        // A file that cannot be found or read is refused when it is loaded.
        let Ok(identity) = FileIdentity::of(file) else { continue };
        if !verdict::is_tried(&identity.path) && known.insert(identity.path.clone()) {
            due.push(identity.path);
        }
    }
    let mut from = 0;
    while from < due.len() {
        let (last, how) = one_child(program, &due[from..]);
        let (fine, culprit) = match (last, how) {
            // No child can be started: nothing is known about the libraries.
            (None, _) | (Some(TrialLine::Finished), None) => (due.len(), None),
            (Some(TrialLine::Finished), Some(how)) if due.len() - from == 1 => (from, Some(how)),
            // One of them spoils the end of the process: each is tried alone.
            (Some(TrialLine::Finished), Some(_)) => {
                due[from..].iter().for_each(|file| attempt(std::iter::once(file.as_path())));
                return;
            }
            (Some(TrialLine::Begun(number)), how) => {
                ((from + number).min(due.len() - 1), Some(how.unwrap_or_else(|| "exited with status 0".to_owned())))
            }
        };
        due[from..fine].iter().for_each(|file| verdict::record(file, None));
        if culprit.is_some() {
            verdict::record(&due[fine], culprit);
        }
        from = fine + 1;
    }
}

/// The last line of a child that tries `files`, and how it ended unless it ended well.
fn one_child(program: &[OsString], files: &[PathBuf]) -> (Option<TrialLine>, Option<String>) {
    let Some((name, arguments)) = program.split_first() else { return (None, None) };
    let mut command = Command::new(name);
    command.args(arguments).args(files);
    let (sender, events) = channel();
    let hear = move |event: Event| sender.send(event).is_ok();
    let Ok(_process) = Process::start(&mut command, ParentDeath::Kill, Log::none(), hear) else {
        return (None, None);
    };
    let mut last = None;
    loop {
        match events.recv_timeout(LIMIT) {
            Ok(Event::Line(line)) => last = serde_json::from_slice(&line).ok().or(last),
            Ok(Event::Ended(ending)) if ending.exit.success() => return (last, None),
            Ok(Event::Ended(ending)) => return (last, Some(ended(ending.exit))),
            Err(RecvTimeoutError::Disconnected) => return (last, None),
            Err(RecvTimeoutError::Timeout) => {
                return (last, Some(format!("took longer than {} s and was ended", LIMIT.as_secs())));
            }
        }
    }
}
