//! Folders of a run and of a cell.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::atomic::write_atomic;
use super::result::{CellResult, Timings};
use super::status::{State, Status};
use crate::error::{Error, Result};
use crate::plan::CellPlan;

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
        let writable = File::create(&probe).and_then(|_| fs::remove_file(&probe));
        writable.map_err(Error::file(&self.0, "is not writable"))
    }

    /// How many cells in it were planned by a version of the program with another schema than `schema`. Their identifiers
    /// are others, so that they are neither read nor touched.
    pub fn cells_of_other_schemas(&self, schema: u32) -> usize {
        let own = format!("schema = {schema}\n");
        let is_other = |entry: fs::DirEntry| {
            // The schema is a plan's first line.
            fs::read_to_string(entry.path().join("plan.toml")).is_ok_and(|plan| !plan.starts_with(&own))
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

    /// The folder of a cell.
    pub fn cell(&self, id: &str) -> CellFolder {
        CellFolder(self.0.join(id))
    }
}

/// `runs/<suite>/<cell id>/`
#[derive(Debug, Clone)]
pub struct CellFolder(PathBuf);

impl CellFolder {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Creates the folder with its plan, unless it is there.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn create(&self, plan: &CellPlan) -> Result<()> {
        let checkpoint = self.file("checkpoint");
        fs::create_dir_all(&checkpoint).map_err(Error::file(&checkpoint, "cannot be created"))?;
        write_atomic(&self.file("plan.toml"), plan.to_toml()?.as_bytes())
    }

    /// Removes everything that has been computed.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&self.0, "cannot be removed")(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes the cell's lock, held as long as the file is open; `None` if another process holds it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn lock(&self) -> Result<Option<File>> {
        let path = self.file("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(Error::file(&path, "cannot be opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(Error::file(&path, "cannot be locked")(error)),
        }
    }

    /// The stored plan.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Damaged`].
    pub fn plan(&self) -> Result<CellPlan> {
        let path = self.file("plan.toml");
        let text = fs::read_to_string(&path).map_err(Error::file(&path, "cannot be read"))?;
        CellPlan::from_toml(&text).map_err(|message| Error::Damaged { path, message })
    }

    /// The recorded status; pending where there is none.
    pub fn status(&self) -> Status {
        let text = fs::read_to_string(self.file("status.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Status::of(State::Pending))
    }

    /// Records a status.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn set_status(&self, status: &Status) -> Result<()> {
        let text = serde_json::to_string(status).map_err(|error| Error::Usage(format!("status: {error}")))?;
        write_atomic(&self.file("status.json"), format!("{text}\n").as_bytes())
    }

    /// Records that the cell is done, with the hash of its result.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Damaged`] if there is no result.
    pub fn set_done(&self) -> Result<()> {
        self.set_status(&Status::done(hash(&self.recorded("result.json")?)))
    }

    /// A file that a finished cell has.
    fn recorded(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Damaged { path, message: "the file is missing".to_owned() },
            _ => Error::file(&path, "cannot be read")(error),
        })
    }

    /// What was timed; `None` where there is no such file or it cannot be read, since no result depends on it.
    pub fn timings(&self) -> Option<Timings> {
        serde_json::from_str(&fs::read_to_string(self.file("timings.json")).ok()?).ok()
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// [`Error::Cell`] if it has no JSON, [`Error::File`].
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Cell(format!("{name}: {error}")))?;
        write_atomic(&self.file(name), format!("{text}\n").as_bytes())
    }

    /// Appends a line to `log.txt`.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn log(&self, line: &str) -> Result<()> {
        let path = self.file("log.txt");
        let append =
            || OpenOptions::new().create(true).append(true).open(&path)?.write_all(format!("{line}\n").as_bytes());
        append().map_err(Error::file(&path, "cannot be written"))
    }

    /// The result of a finished cell, verified with all files that it names against their hashes; `None` if the cell
    /// has not finished.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the file that does not verify.
    pub fn result(&self) -> Result<Option<CellResult>> {
        let status = self.status();
        if status.state != State::Done {
            return Ok(None);
        }
        let damaged = |name: &str, message: String| Error::Damaged { path: self.file(name), message };
        let verify = |name: &str, bytes: &[u8], expected: &str| {
            let found = hash(bytes);
            if found == expected {
                return Ok(());
            }
            Err(damaged(name, format!("its hash is {found}, recorded is {expected}")))
        };
        let bytes = self.recorded("result.json")?;
        if let Some(expected) = &status.result {
            verify("result.json", &bytes, expected)?;
        }
        let result: CellResult =
            serde_json::from_slice(&bytes).map_err(|error| damaged("result.json", error.to_string()))?;
        for (name, expected) in &result.files {
            verify(name, &self.recorded(name)?, expected)?;
        }
        Ok(Some(result))
    }
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
