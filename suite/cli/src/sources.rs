//! Plugins given as sources become libraries before anything else happens, so that every worker loads the same files.

use std::path::{Path, PathBuf};

use haltbench_engine::plan::SuiteFile;
use haltbench_engine::plugins::build::{self, Built, Purpose, Source};
use haltbench_engine::plugins::{self, PluginError};

use crate::notice;

/// The libraries of `paths`, each a folder with a crate, a file of Rust, or a library. Builds those whose sources are
/// newer, and libraries of the suite's workspace that are older than their sources.
///
/// # Errors
/// If one cannot be built.
pub fn prepare(paths: &[PathBuf]) -> Result<Vec<PathBuf>, PluginError> {
    let (libraries, packages) = libraries(paths)?;
    for refreshed in plugins::refresh(&plugins::search_folders(), &packages)? {
        let message = format!("{}, because {} is newer", refreshed.package, refreshed.source.display());
        notice::say("note: built again", &message);
    }
    Ok(libraries)
}

/// The given libraries and those that a suite file names.
///
/// # Errors
/// If one cannot be built.
pub fn with_those_of(file: &SuiteFile, given: &[PathBuf]) -> Result<Vec<PathBuf>, PluginError> {
    let (named, _) = libraries(&file.plugins.paths)?;
    Ok(given.iter().cloned().chain(named).collect())
}

/// Builds the plugin in `source`, and says so on standard error if its library was not there.
///
/// # Errors
/// If it cannot be built.
pub fn build(source: &Source, purpose: Purpose) -> Result<Built, PluginError> {
    let slow = |name: &str| notice::say("note", &format!("building {name}, which takes more than 2 s"));
    let built = build::build(source, purpose, &slow)?;
    if !built.is_fresh {
        notice::text(&built.warnings);
        notice::say(
            "note",
            &format!("built {} from {} in {:.1} s", built.name, source.path().display(), built.seconds),
        );
    }
    Ok(built)
}

/// The library of each path, and the packages that were built from sources.
fn libraries(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<String>), PluginError> {
    let (mut libraries, mut packages) = (Vec::new(), Vec::new());
    for path in paths {
        match Source::at(path)? {
            Some(source) => {
                let built = build(&source, Purpose::Library)?;
                libraries.push(built.file);
                packages.push(built.name);
            }
            None => libraries.push(absolute(path)),
        }
    }
    Ok((libraries, packages))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
