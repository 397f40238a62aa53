//! Builds libraries of the suite's workspace again that are older than their sources.
//!
//! `cargo run` builds what the program depends on. It never names a plugin of the workspace that is no dependency of the
//! program, and a program that is started by its path builds nothing. Running an edited policy's old library would be
//! a wrong result, so it is built or refused.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use haltbench_sdk::fingerprint;

use super::build::{cargo_program, missing_cargo};
use super::discover::{SearchFolder, is_plugin_name};
use super::error::PluginError;
use super::origin::{Origin, origin, workspace};
use super::stale::newer;

/// What every plugin of the workspace is compiled with: if these were edited, the program must be built again first.
const BELOW: [&str; 7] = [
    "suite/sdk/src",
    "suite/sdk/build.rs",
    "suite/sdk/Cargo.toml",
    "suite/kernels/src",
    "suite/kernels/Cargo.toml",
    "suite/sdk_dylib",
    "Cargo.lock",
];

/// A library that was built again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// Name of its package.
    pub package: String,
    /// The newest of its sources.
    pub source: PathBuf,
}

/// Builds each library in `folders` again that is older than a source of its crate, unless its package is in `except`.
/// Folders that the user named are left alone: their libraries are not the workspace's.
///
/// # Errors
/// [`PluginError::Compile`] if it does not compile; [`PluginError::Outdated`] if it must not be built from here.
pub fn refresh(folders: &[SearchFolder], except: &[String]) -> Result<Vec<Refreshed>, PluginError> {
    let mut seen: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in folders.iter().filter(|folder| !folder.required) {
        for entry in fs::read_dir(&folder.path).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_plugin_name) {
                // The first folder wins, as in a search.
                seen.entry(entry.file_name()).or_insert_with(|| folder.path.join(entry.file_name()));
            }
        }
    }
    let mut refreshed = Vec::new();
    for library in seen.values() {
        // A library whose crate is gone is left out later.
        let Ok(Some(Origin { package, sources })) = origin(library) else { continue };
        let Some(source) = newer(library, &sources).filter(|_| !except.contains(&package)) else { continue };
        build(library, &package, source)?;
        refreshed.push(Refreshed { package, source: source.clone() });
    }
    Ok(refreshed)
}

/// Builds the package again, where the library lies.
fn build(library: &Path, package: &str, source: &Path) -> Result<(), PluginError> {
    let outdated = |why: &str| PluginError::Outdated {
        file: library.to_owned(),
        source_file: source.to_owned(),
        why: why.to_owned(),
        command: "cargo build --workspace".to_owned(),
    };
    let folder = library.parent().filter(|folder| folder.ends_with("deps")).and_then(Path::parent);
    let (Some(folder), Some(root)) = (folder, workspace(library)) else {
        return Err(outdated("it does not lie in a target folder of cargo"));
    };
    let profile: &[&str] = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => &[],
        Some("release") => &["--release"],
        _ => return Err(outdated("it was built with a profile of its own")),
    };
    if fingerprint::own_fields().iter().any(|(name, value)| name == "features" && value != "none") {
        return Err(outdated("it was built with features"));
    }
    let shared = folder.join("deps/libhaltbench_sdk_dylib.so");
    if let Some(edited) = newer(&shared, &sources_below(&root)) {
        return Err(outdated(&format!("the program is older than {} too", edited.display())));
    }
    let target = folder.parent().unwrap_or(folder);
    let mut command = Command::new(cargo_program());
    command.current_dir(&root).args(["build", "--quiet", "--locked", "--package", package]).args(profile);
    command.arg("--target-dir").arg(target).stdin(Stdio::null());
    let output = command.output().map_err(|error| missing_cargo(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(PluginError::Compile { path: source.to_owned(), said });
    }
    Ok(())
}

/// The sources of the SDK and of the kernels.
fn sources_below(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = BELOW.iter().map(|part| root.join(part)).collect();
    let mut sources = Vec::new();
    while let Some(path) = folders.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => folders.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => sources.push(path),
        }
    }
    sources
}
