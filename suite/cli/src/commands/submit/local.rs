//! `haltbench submit local`: several workers on this machine.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use haltbench_engine::Error;
use haltbench_engine::process::{Ending, Event, Log, ParentDeath, Process, ended};

use super::{Handed, Job, shell};
use crate::failure::Failure;
use crate::notice;
use crate::output;
use crate::signals;

/// Start several workers on this machine and wait for them
///
/// The workers share the whole suite: each takes what no other works on. The output of each goes to a file of its own.
#[derive(Debug, clap::Args)]
pub struct LocalArguments {
    #[command(flatten)]
    handed: Handed,
    /// Number of workers
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,
}

/// Interval at which a signal is looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a worker may take to stop: a little longer than its own limit.
const PATIENCE: Duration = signals::PATIENCE.saturating_add(Duration::from_millis(150));

/// Runs the workers.
///
/// # Errors
/// If the suite is wrong or a worker cannot be started.
pub fn run(arguments: &LocalArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let LocalArguments { handed, tasks } = arguments;
    let count = usize::from(*tasks);
    let mut job = handed.job(plugins)?;
    job.worker.extend(["--cores".to_owned(), handed.cores(count).to_string()]);
    let logs: Vec<PathBuf> =
        (1..=count).map(|number| job.place("local").join(format!("worker-{number}.txt"))).collect();
    if handed.dry_run {
        output::print(&script(&job, &logs)?)?;
        return Ok(0);
    }
    job.folder.prepare()?;
    let place = job.place("local");
    std::fs::create_dir_all(&place)
        .map_err(|error| Failure::usage(format!("{}: cannot be created: {error}", place.display())))?;
    let stop = signals::watch(PATIENCE, signals::exit_now)?;
    let signal = || Some(stop.load(Ordering::Relaxed)).filter(|signal| *signal != 0);
    let endings = supervised(&job, &logs, &signal)?;
    let mut statuses = Vec::new();
    for (place, ending) in endings.iter().enumerate() {
        let error = ending.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        notice::line(&format!("worker {} of {count} {}{error}", place + 1, ended(ending.exit)));
        statuses.push(match (ending.exit.code(), signal()) {
            // It was told to stop because this process was.
            (None | Some(130 | 143), Some(signal)) => Error::Interrupted(signal).exit_status(),
            (code, _) => code.unwrap_or(1),
        });
    }
    // A wrong suite or a signal says more than failed cells.
    let telling = statuses.iter().find(|status| **status > 1).or_else(|| statuses.iter().find(|status| **status != 0));
    Ok(telling.copied().unwrap_or_default())
}

/// The workers as a script.
fn script(job: &Job, logs: &[PathBuf]) -> Result<String, Failure> {
    let mut text = format!("cd {}\n", shell::quoted(&job.current));
    if let Some(folder) = logs.first().and_then(|log| log.parent()) {
        text += &format!("mkdir -p {}\n", shell::quoted(&shell::text(folder.as_os_str())?));
    }
    for log in logs {
        let log = shell::quoted(&shell::text(log.as_os_str())?);
        text += &format!("{} >>{log} 2>&1 &\n", shell::line(&job.worker));
    }
    Ok(text + "wait\n")
}

/// How each worker ended.
fn supervised(job: &Job, logs: &[PathBuf], signal: &dyn Fn() -> Option<i32>) -> Result<Vec<Ending>, Failure> {
    let (program, arguments) = job.worker.split_first().ok_or_else(|| Failure::internal("no worker"))?;
    let (sender, endings) = channel();
    let mut workers = Vec::new();
    for (place, log) in logs.iter().enumerate() {
        let sender = sender.clone();
        let hear = move |event: Event| match event {
            Event::Line(_) => false,
            Event::Ended(ending) => sender.send((place, ending)).is_ok(),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        let worker = Process::start(&mut command, ParentDeath::Terminate, Log::at(log)?, hear)
            .map_err(|error| Failure::usage(format!("{program}: cannot be started: {error}")))?;
        notice::line(&format!(
            "worker {} of {} has started; its output goes to {}",
            place + 1,
            logs.len(),
            log.display()
        ));
        workers.push(worker);
    }
    let mut found: Vec<Option<Ending>> = vec![None; workers.len()];
    let mut is_told = false;
    while found.iter().any(Option::is_none) {
        match endings.recv_timeout(PAUSE) {
            Ok((place, ending)) => found[place] = Some(ending),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if !is_told && signal().is_some() {
            is_told = true;
            workers.iter().for_each(Process::terminate);
        }
    }
    Ok(found.into_iter().flatten().collect())
}
