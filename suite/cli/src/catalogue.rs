//! Loads the plugins for commands that need them.

use std::path::PathBuf;

use haltbench_engine::plugins::{self, Catalogue, PluginError};

use crate::failure::Failure;
use crate::output;

/// Everything available. What was found and refused is mentioned on standard error, in one line each.
///
/// # Errors
/// If a plugin in `files` is refused, or if a name is provided twice.
pub fn load(files: &[PathBuf]) -> Result<Catalogue, Failure> {
    let (catalogue, skipped) = plugins::catalogue(files)?;
    for skipped in &skipped {
        // What a named plugin replaces was asked for.
        if !matches!(skipped.reason, PluginError::Replaced { .. }) {
            output::say("note: plugin left out", &skipped.reason.headline());
        }
    }
    Ok(catalogue)
}
