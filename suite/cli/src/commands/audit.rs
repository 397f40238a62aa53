//! `haltbench audit`: audits results in this process. `haltbench run` starts it, and asks on standard input.

use std::io::{self, BufRead};
use std::path::PathBuf;

use haltbench_engine::monitor::{Monitor, Stage};
use haltbench_engine::plugins;
use haltbench_engine::process;
use haltbench_engine::scheduler::{AuditAnswer, AuditQuestion};
use haltbench_engine::store::{RunFolder, TrainingLine};
use haltbench_engine::worker::Auditor;

use crate::failure::Failure;
use crate::guard;

/// Audit results of cells, named as JSON lines on standard input
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct AuditArguments {
    /// Folder of the suite's runs, such as runs/quick
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// A library with a task or a backbone; no other is opened
    #[arg(long = "library", value_name = "FILE")]
    libraries: Vec<PathBuf>,
}

/// Nobody watches an audit; its run ends it.
struct Unwatched;

impl Monitor for Unwatched {
    fn progress(&self, _: Stage, _: u64, _: u64, _: Option<&TrainingLine>) {}

    fn interrupted(&self) -> Option<i32> {
        None
    }
}

/// Answers every line of standard input.
///
/// # Errors
/// If a library is refused or a line is no question.
pub fn run(arguments: &AuditArguments) -> Result<i32, Failure> {
    let (catalogue, _) = plugins::catalogue_in(&arguments.libraries, &[])?;
    let folder = RunFolder::at(&arguments.run);
    let mut auditor = Auditor::new(&folder, &catalogue, &arguments.device, &Unwatched);
    for line in io::stdin().lock().lines() {
        let unreadable = |error: &dyn std::fmt::Display| Failure::usage(format!("standard input: {error}"));
        let line = line.map_err(|error| unreadable(&error))?;
        let question: AuditQuestion = serde_json::from_str(&line).map_err(|error| unreadable(&error))?;
        let fault = match guard::caught(|| auditor.audit(&question.cell, &question.work)) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(format!("the auditor panicked: {panic}")),
        };
        process::say(&AuditAnswer { cell: question.cell, fault });
    }
    Ok(0)
}
