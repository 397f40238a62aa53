//! The folder of a suite's runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::atomic::write_atomic;
use super::folder::{CellFolder, ModelFolder};
use super::status::State;
use crate::error::{Error, Result};
use crate::plan::{Cell, CellPlan, MODELS, Model, PLAN_SCHEMA, Start, Suite};

/// `runs/<suite>/`
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of `suite` under `runs`.
    pub fn new(runs: &Path, suite: &str) -> Self {
        Self(runs.join(suite))
    }

    /// The folder of a suite's runs at `path`.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the folder and makes sure that it can be written to.
    ///
    /// # Errors
    /// [`Error::File`] naming the folder.
    pub fn prepare(&self) -> Result<()> {
        fs::create_dir_all(&self.0).map_err(Error::file(&self.0, "cannot be created"))?;
        let probe = self.0.join(".writable");
        let removed = || match fs::remove_file(&probe) {
            // By another run that starts at the same time.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let writable = File::create(&probe).and_then(|_| removed());
        writable.map_err(Error::file(&self.0, "is not writable"))
    }

    /// Number of cells in it that were planned under another plan schema by another version of the program. Their
    /// identifiers differ, so they are neither read nor changed.
    pub fn cells_of_other_schemas(&self) -> usize {
        let own = format!("schema = {PLAN_SCHEMA}\n");
        let is_other = |entry: fs::DirEntry| {
            // The schema is a plan's first line. Folders that were moved away are no cells.
            !entry.file_name().to_string_lossy().contains('.')
                && fs::read_to_string(entry.path().join("plan.toml")).is_ok_and(|plan| !plan.starts_with(&own))
        };
        fs::read_dir(&self.0)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .map(is_other)
            .filter(|is_other| *is_other)
            .count()
    }

    /// The cells in it that differ from unfinished cells of `suite` only in their code, and the components whose code
    /// differs.
    ///
    /// # Errors
    /// [`Error::Usage`] if a plan cannot be written as text.
    pub fn made_by_other_code(&self, suite: &Suite) -> Result<OtherCode> {
        let own: BTreeMap<&str, &CellPlan> = suite.cells.iter().map(|cell| (cell.id.as_str(), &cell.plan)).collect();
        // Finished cells need no other.
        let is_due = |id: &str| self.cell(id).status().state != State::Done;
        // Without cells of this suite, no plan needs to be read.
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let strangers = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| !name.contains('.') && !own.contains_key(name)) && entry.path().is_dir()
        });
        let mut without_code: Option<BTreeMap<String, &CellPlan>> = None;
        let mut other = OtherCode::default();
        for entry in strangers {
            let text = fs::read_to_string(entry.path().join("plan.toml")).unwrap_or_default();
            let Ok(plan) = toml::from_str::<CellPlan>(&text) else { continue };
            if without_code.is_none() {
                let due = own.iter().filter(|(id, _)| is_due(id));
                let keyed = due.map(|(_, plan)| Ok((key_without_code(plan)?, *plan)));
                without_code = Some(keyed.collect::<Result<_>>()?);
            }
            if let Some(of_suite) = without_code.as_ref().and_then(|all| all.get(&key_without_code(&plan).ok()?)) {
                other.cells.push(entry.file_name().to_string_lossy().into_owned());
                for (theirs, ours) in [(&plan.code, &of_suite.code), (&plan.model.code, &of_suite.model.code)] {
                    let changed = theirs.iter().filter(|(part, hash)| ours.get(*part) != Some(hash));
                    other.changed.extend(changed.map(|(part, _)| part.clone()));
                }
            }
        }
        other.cells.sort();
        Ok(other)
    }

    /// Writes `index.json`: the titles of all cells and models of the suite.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write_index(&self, suite: &Suite) -> Result<()> {
        let cell = |cell: &Cell| {
            let model = &cell.plan.model;
            serde_json::json!({
                "cell": cell.id, "model": cell.model, "policy": cell.label, "family": cell.family, "of": cell.of,
                "task": model.task.name, "backbone": model.backbone.name, "seed": model.seed,
            })
        };
        let model = |model: &Model| serde_json::json!({ "model": model.id, "title": model.title });
        let index = serde_json::json!({
            "suite": suite.name,
            "cells": suite.cells.iter().map(cell).collect::<Vec<_>>(),
            "models": suite.models.iter().map(model).collect::<Vec<_>>(),
        });
        write_atomic(&self.0.join("index.json"), format!("{index:#}\n").as_bytes())
    }

    /// The folder of a cell.
    pub fn cell(&self, id: &str) -> CellFolder {
        CellFolder::at(self.0.join(id))
    }

    /// The folder of a model. Models are shared by all suites.
    pub fn model(&self, id: &str) -> ModelFolder {
        ModelFolder::at(self.0.with_file_name(MODELS).join(id))
    }
}

/// Cells computed by other code.
#[derive(Debug, Default)]
pub struct OtherCode {
    /// Their identifiers.
    pub cells: Vec<String>,
    /// Components whose code differs: the SDK, the engine, or the library of a task, backbone or policy.
    pub changed: BTreeSet<String>,
}

/// The plan's text without hashes of code and everything derived from them.
fn key_without_code(plan: &CellPlan) -> Result<String> {
    let mut plan = plan.clone();
    plan.code.clear();
    plan.model.code.clear();
    let hide = |id: &mut Option<String>| *id = id.as_ref().map(|_| String::new());
    hide(&mut plan.source);
    hide(&mut plan.model.source);
    if let Some(Start::Model(id)) = &mut plan.model.start {
        id.clear();
    }
    plan.to_toml()
}
