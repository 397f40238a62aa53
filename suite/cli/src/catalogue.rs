//! Loads the plugins for commands that need them.

use std::path::{Path, PathBuf};

use haltbench_engine::plugins::{self, Catalogue, PluginError, Stale};

use crate::failure::Failure;
use crate::notice;

/// Everything available. Prints one line on standard error for each library that was refused, and one if any is older
/// than its sources.
///
/// # Errors
/// If a plugin in `files` is refused, or if a name is provided twice.
pub fn load(files: &[PathBuf]) -> Result<Catalogue, Failure> {
    if let Ok(program) = std::env::current_exe() {
        plugins::trial::in_children_of(vec![program.into(), "trial".into(), "--".into()]);
    }
    let (catalogue, skipped) = plugins::catalogue(files)?;
    for skipped in &skipped {
        // A named plugin replaces others on purpose: say nothing.
        if !matches!(skipped.reason, PluginError::Replaced { .. }) {
            notice::say("note: plugin left out", &skipped.reason.headline());
        }
    }
    let program = std::env::current_exe().ok();
    let libraries: Vec<&Path> = catalogue.entries().map(|entry| entry.file.as_path()).collect();
    let stale = plugins::stale(&libraries, program.as_deref());
    if let Some(Stale { file, source }) = stale.first() {
        let others = match stale.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let message =
            format!("{}{others}: older than the source, such as {}; build again", file.display(), source.display());
        notice::say("warning", &message);
    }
    Ok(catalogue)
}
