//! Loads the plugins for commands that need them.

use std::path::{Path, PathBuf};

use haltbench_engine::plugins::{self, Catalogue, PluginError, Stale};

use crate::failure::Failure;
use crate::notice;

/// Everything available. Prints one line on standard error for each library that was refused or is older than its
/// sources.
///
/// # Errors
/// If a plugin in `files` is refused, or if a name is provided twice.
pub fn load(files: &[PathBuf]) -> Result<Catalogue, Failure> {
    let (catalogue, skipped) = plugins::catalogue(files)?;
    for skipped in &skipped {
        // A named plugin replaces others on purpose: say nothing.
        if !matches!(skipped.reason, PluginError::Replaced { .. }) {
            notice::say("note: plugin left out", &skipped.reason.headline());
        }
    }
    let program = std::env::current_exe().ok();
    let libraries: Vec<&Path> = catalogue.entries().map(|entry| entry.file.as_path()).collect();
    for Stale { file, source } in plugins::stale(&libraries, program.as_deref()) {
        let message = format!("{} is older than its source {}; build it again", file.display(), source.display());
        notice::say("warning", &message);
    }
    Ok(catalogue)
}
