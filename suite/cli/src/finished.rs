//! A suite that has been run: the flags that name it, and what is known about it.

use std::path::PathBuf;

use haltbench_engine::Error;
use haltbench_engine::plan::{self, PLAN_SCHEMA, Suite};
use haltbench_engine::store::RunFolder;

use crate::catalogue;
use crate::failure::Failure;
use crate::notice;
use crate::only::Only;
use crate::sources;

/// The flags that name a suite that has been run.
#[derive(Debug, clap::Args)]
pub struct Finished {
    /// Path of a suite file, name of a built-in suite, or name of a suite that was run
    suite: String,
    #[command(flatten)]
    only: Only,
    /// Override that the suite was run with; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Device that the suite was run on: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

impl Finished {
    /// The suite, limited to the cells that are wanted, and its folder. Prints a notice if the folder holds cells of
    /// other code.
    ///
    /// # Errors
    /// If the suite is wrong or was not run.
    pub fn open(&self, plugin_files: &[PathBuf]) -> Result<(Suite, RunFolder), Failure> {
        let file = plan::parse(&plan::text(&self.suite, Some(&self.runs))?, &self.overrides)?;
        let plugin_files = &sources::with_those_of(&file, plugin_files)?;
        let catalogue = catalogue::load(plugin_files)?;
        let mut suite = plan::resolve(&file, &catalogue, &self.device)?;
        self.only.check(&suite)?;
        suite.cells.retain(|cell| self.only.matches(cell));
        let folder = RunFolder::new(&self.runs, &suite.name);
        if !folder.path().is_dir() {
            let path = folder.path().display();
            return Err(Failure::usage(format!("{path}: no runs; `haltbench run {}` makes them", self.suite)));
        }
        mention_other_versions(&folder, &suite)?;
        Ok((suite, folder))
    }
}

/// Prints a notice if a folder holds cells that were planned by another version of the program or computed by other
/// code.
///
/// # Errors
/// If a plan cannot be written as text.
pub fn mention_other_versions(folder: &RunFolder, suite: &Suite) -> Result<(), Failure> {
    let path = folder.path().display();
    let cells = |count: usize| if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
    let count = folder.cells_of_other_schemas();
    if count > 0 {
        let message = format!(
            "{path} holds {} of another version of haltbench (plan schema {PLAN_SCHEMA} is read); they are left as they \
             are, and `haltbench run` computes their successors",
            cells(count)
        );
        notice::say("note", &message);
    }
    let made = folder.made_by_other_code(suite)?;
    if !made.cells.is_empty() {
        let message = format!(
            "{path} holds {} of this suite made by other code ({}); they are left as they are, and `haltbench run` \
             computes them anew",
            cells(made.cells.len()),
            made.changed.into_iter().collect::<Vec<_>>().join(", ")
        );
        notice::say("note", &message);
    }
    Ok(())
}

/// The failure for an error while reading finished cells.
pub fn unreadable(error: Error) -> Failure {
    match error {
        Error::Damaged { .. } => {
            let message = format!("{error}; `haltbench run` keeps it aside and computes the cell again");
            Failure::with_status(message, error.exit_status())
        }
        error => error.into(),
    }
}
