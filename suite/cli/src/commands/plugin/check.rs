//! `haltbench plugin check`: runs the conformance kit, in a process of its own for each item.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use haltbench_engine::plugins::build::{Purpose, Source};
use haltbench_engine::plugins::{Entry, load};
use haltbench_engine::process::{self, Event, Log, ParentDeath, Process};
use haltbench_sdk::conformance::{self, Promise};
use haltbench_sdk::registry::Declaration;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::{catalogue, guard, output, sources};

/// Check that a plugin keeps the promises of its declaration
///
/// Runs the conformance kit on every policy, task and backbone of the plugin, and prints each promise with `kept` or
/// `broken`. The kit stops at the first broken promise of an item, and looks for the smallest counterexample. The exit status is 1
/// if a promise is broken.
#[derive(Debug, clap::Args)]
pub struct CheckArguments {
    /// Folder of a crate, a file of Rust, a library, or a name that `haltbench list` shows
    #[arg(value_name = "DIR|FILE|NAME")]
    target: String,
    /// Seconds after which a check of one promise counts as hanging
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    promise_timeout: u64,
    /// Check this item in this process: policy, task or backbone
    #[arg(long, value_name = "KIND", hide = true)]
    here: Option<String>,
}

/// A line that the checking process prints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Kept(String),
    Broken {
        promise: String,
        found: String,
    },
    /// The last line: a process that ends without it was ended by the plugin.
    Done,
}

/// Checks the plugin.
///
/// # Errors
/// If there is no such plugin, or it is refused.
pub fn run(arguments: &CheckArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let target = arguments.target.as_str();
    if let Some(kind) = &arguments.here {
        let catalogue = catalogue::load(plugins)?;
        perform(catalogue.find(kind, target)?);
        process::say(&Line::Done);
        return Ok(0);
    }
    let (items, libraries) = items(target, plugins)?;
    let limit = Duration::from_secs(arguments.promise_timeout);
    let mut broken = 0;
    for (kind, name) in &items {
        broken += usize::from(!report(kind, name, &libraries, limit)?);
    }
    Ok(i32::from(broken > 0))
}

/// Kind and name of an item.
type Item = (&'static str, &'static str);

/// The items to check, and the libraries to load.
fn items(target: &str, plugins: &[PathBuf]) -> Result<(Vec<Item>, Vec<PathBuf>), Failure> {
    let mut libraries = sources::prepare(plugins)?;
    let path = Path::new(target);
    let is_path = target.contains('/') || target.ends_with(".rs") || target.ends_with(".so");
    let catalogue = catalogue::load(&libraries)?;
    let is_name = catalogue.entries().any(|entry| entry.name() == target);
    if is_path || (path.exists() && !is_name) {
        let library = match Source::at(path)? {
            Some(source) => sources::build(&source, Purpose::Library)?.file,
            None => path.to_owned(),
        };
        let plugin = load(&library)?;
        libraries.push(plugin.file().to_owned());
        // A name that another plugin provides too is refused before anything is checked.
        catalogue::load(&libraries)?;
        let items = plugin.items().iter().map(|item| (item.declaration.kind(), item.declaration.name()));
        return Ok((items.collect(), libraries));
    }
    let items = catalogue.named(target)?.into_iter().map(|entry| (entry.kind(), entry.name())).collect();
    Ok((items, libraries))
}

/// Checks one item in another process and prints its promises; whether all are kept.
fn report(kind: &str, name: &str, libraries: &[PathBuf], limit: Duration) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("the checking process: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["plugin", "check", name, "--here", kind]);
    for library in libraries {
        command.arg("--plugin").arg(library);
    }
    let (sender, events) = channel();
    let hear = move |event: Event| sender.send(event).is_ok();
    let process = Process::start(&mut command, ParentDeath::Kill, Log::to_standard_error(), hear).map_err(failed)?;
    let mut lines = Vec::new();
    let end = loop {
        match events.recv_timeout(limit) {
            // A plugin may print anything between the lines.
            Ok(Event::Line(line)) => lines.extend(serde_json::from_slice::<Line>(&line)),
            Ok(Event::Ended(ending)) => break Some(ending.exit.to_string()),
            Err(RecvTimeoutError::Timeout) => break None,
            Err(RecvTimeoutError::Disconnected) => break Some("its end is unknown".to_owned()),
        }
    };
    drop(process);
    match end {
        None => lines.push(Line::Broken {
            promise: "it never hangs".to_owned(),
            found: format!("no further promise was checked within {} s (--promise-timeout)", limit.as_secs()),
        }),
        Some(found) if !lines.iter().any(|line| matches!(line, Line::Done)) => {
            lines.push(Line::Broken { promise: "it never ends the process".to_owned(), found });
        }
        Some(_) => {}
    }
    let broken = lines.iter().find_map(|line| match line {
        Line::Broken { promise, .. } => Some(promise.clone()),
        _ => None,
    });
    let text = |line: &Line| match line {
        // A promise that holds at first may be broken later.
        Line::Kept(promise) if Some(promise) != broken.as_ref() => format!("  kept    {promise}\n"),
        Line::Broken { promise, found } => format!("  broken  {promise}\n          found: {found}\n"),
        Line::Kept(_) | Line::Done => String::new(),
    };
    output::print(&format!("{kind} {name}\n{}", lines.iter().map(text).collect::<String>()))?;
    Ok(broken.is_none())
}

/// Checks one item in this process and prints what becomes of each promise.
fn perform(entry: &Entry) {
    let mut told = BTreeSet::new();
    let Some((promise, found)) = broken_by(entry, move |promise| {
        if told.insert(promise.to_owned()) {
            process::say(&Line::Kept(promise.to_owned()));
        }
    }) else {
        return;
    };
    process::say(&Line::Broken { promise, found });
}

/// Checks the item and calls `kept` with each promise that held. The promise that it breaks and what was found instead.
fn broken_by(entry: &Entry, mut kept: impl FnMut(&str) + 'static) -> Option<(String, String)> {
    let broken = Rc::new(RefCell::new(None));
    let seen = broken.clone();
    let observer = move |promise: &Promise| match promise {
        Promise::Kept(promise) => kept(promise),
        Promise::Broken { promise, found } => *seen.borrow_mut() = Some(((*promise).to_owned(), (*found).to_owned())),
    };
    let message = guard::caught(|| conformance::observe(observer, || check(entry))).err()?;
    let broken = broken.borrow_mut().take();
    Some(broken.unwrap_or_else(|| ("it never panics".to_owned(), message)))
}

fn check(entry: &Entry) {
    match entry.declaration {
        Declaration::Policy(policy) => conformance::check_policy(policy),
        Declaration::Task(task) => conformance::check_task(task),
        Declaration::Backbone(backbone) => conformance::check_backbone(backbone),
    }
}
