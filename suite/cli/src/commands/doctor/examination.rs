//! The examination. Names of fields are keys of the JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use haltbench_engine::plugins::{self, Catalogue, PluginError, Skipped};
use haltbench_sdk::fingerprint;
use serde::Serialize;

use super::folder::RunFolder;
use super::machine::Machine;
use crate::sources;

/// Something other than a plugin is wrong.
const WRONG: i32 = 1;

/// The result.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// Version of the program.
    pub version: &'static str,
    /// The program.
    pub program: Option<PathBuf>,
    /// The fingerprint that a plugin must have.
    pub fingerprint: BTreeMap<String, String>,
    /// The folders that are searched, in order.
    pub folders: Vec<Folder>,
    /// Libraries that were loaded.
    pub plugins: Vec<Plugin>,
    /// Libraries and folders that were left out.
    pub skipped: Vec<LeftOut>,
    /// The machine.
    pub machine: Machine,
    /// Folder of all runs.
    pub runs: RunFolder,
    /// Problems found.
    pub problems: Vec<String>,
    /// Exit status.
    pub status: i32,
}

/// A folder that is searched for plugins.
#[derive(Debug, Serialize)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// Whether the user asked for it.
    pub required: bool,
}

/// A library that was loaded.
#[derive(Debug, Serialize)]
pub struct Plugin {
    /// The library.
    pub file: PathBuf,
    /// Its crate.
    pub provider: String,
    /// What it registered: kind and name.
    pub items: Vec<String>,
}

/// A library or folder that was left out.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// The library or folder.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
}

impl Examination {
    /// Examines this installation, with the plugins named in `files` and runs in `runs`.
    pub fn new(files: &[PathBuf], runs: &Path) -> Self {
        let mut problems = Problems::default();
        let (catalogue, skipped) = problems.load(files);
        let machine = Machine::examine();
        let runs = RunFolder::examine(runs);
        if catalogue.entries().next().is_none() {
            problems.add("no plugins: nothing can be run".to_owned(), WRONG);
        }
        if let Some(problem) = &runs.problem {
            problems.add(format!("runs cannot be written: {problem}"), WRONG);
        }
        Self {
            version: env!("CARGO_PKG_VERSION"),
            program: std::env::current_exe().ok(),
            fingerprint: fingerprint::own_fields().into_iter().collect(),
            folders: plugins::search_folders()
                .into_iter()
                .map(|folder| Folder { exists: folder.path.is_dir(), path: folder.path, required: folder.required })
                .collect(),
            plugins: loaded(&catalogue),
            skipped: skipped
                .into_iter()
                .map(|skipped| LeftOut { file: skipped.file, reason: skipped.reason.to_string() })
                .collect(),
            machine,
            runs,
            problems: problems.messages,
            status: problems.status,
        }
    }
}

/// Problems found so far. A refused plugin determines the exit status.
#[derive(Debug, Default)]
struct Problems {
    messages: Vec<String>,
    status: i32,
}

impl Problems {
    fn add(&mut self, message: String, status: i32) {
        self.messages.push(message);
        self.status = self.status.max(status);
    }

    fn refused(&mut self, error: &PluginError) {
        // A path that does not exist is a problem, but no refused plugin.
        let status = if error.exit_status() == 3 { 3 } else { WRONG };
        self.add(error.headline(), status);
    }

    /// Loads everything that can be loaded, with the named plugins if they are accepted.
    fn load(&mut self, paths: &[PathBuf]) -> (Catalogue, Vec<Skipped>) {
        let files = &match sources::prepare(paths) {
            Ok(files) => files,
            Err(error) => {
                self.refused(&error);
                Vec::new()
            }
        };
        let attempts: &[&[PathBuf]] = if files.is_empty() { &[&[]] } else { &[files, &[]] };
        for files in attempts {
            match plugins::catalogue(files) {
                Ok((catalogue, skipped)) => {
                    for skipped in &skipped {
                        if !matches!(skipped.reason, PluginError::Replaced { .. }) {
                            self.refused(&skipped.reason);
                        }
                    }
                    return (catalogue, skipped);
                }
                Err(error) => self.refused(&error),
            }
        }
        Default::default()
    }
}

fn loaded(catalogue: &Catalogue) -> Vec<Plugin> {
    let mut plugins: BTreeMap<(&str, &Path), Vec<String>> = BTreeMap::new();
    for entry in catalogue.entries() {
        let items = plugins.entry((entry.provider, &entry.file)).or_default();
        items.push(format!("{} {}", entry.kind(), entry.name()));
    }
    let plugin = |((provider, file), items): ((&str, &Path), _)| Plugin {
        file: file.to_owned(),
        provider: provider.to_owned(),
        items,
    };
    plugins.into_iter().map(plugin).collect()
}
