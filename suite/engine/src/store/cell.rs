//! Folders of a run and of a cell.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomic;
use super::result::{CellResult, RESULT_SCHEMA, Timings};
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
            // The schema is a plan's first line. What was set aside is no cell.
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

    /// Creates the folder and takes its lock; `None` if another process holds it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn claim(&self) -> Result<Option<File>> {
        fs::create_dir_all(&self.0).map_err(Error::file(&self.0, "cannot be created"))?;
        self.lock()
    }

    /// Writes the plan into the folder, which is created if it is not there.
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
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(&self.0, "cannot be removed")(error)),
            _ => Ok(()),
        }
    }

    /// Takes the cell's lock, held as long as the file is open; `None` if another process holds it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn lock(&self) -> Result<Option<File>> {
        let path = self.file("lock");
        loop {
            let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = open.map_err(Error::file(&path, "cannot be opened"))?;
            match file.try_lock() {
                // The folder may have been cleared or set aside since the file was opened: that lock guards nothing.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(Some(file)),
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(Error::file(&path, "cannot be locked")(error)),
            }
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
            ErrorKind::NotFound => Error::Damaged { path, message: "the file is missing".to_owned() },
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

    /// The result of a finished cell; `None` if the cell has not finished.
    ///
    /// A result is written whole and after every other file that it names. So a cell is done if and only if it has a
    /// result of its own and of this schema, and every file verifies: whatever became of `status.json`.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the file that does not verify; [`Error::File`] naming one that cannot be read, of which
    /// nothing is known.
    pub fn result(&self) -> Result<Option<CellResult>> {
        let status = self.status();
        let path = self.file("result.json");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound && status.state != State::Done => return Ok(None),
            _ => self.recorded("result.json")?,
        };
        let damaged = |name: &str, message: String| Error::Damaged { path: self.file(name), message };
        let verify = |name: &str, bytes: &[u8], expected: &str| {
            let found = hash(bytes);
            if found == expected {
                return Ok(());
            }
            Err(damaged(name, format!("its hash is {found}, recorded is {expected}")))
        };
        if let Some(expected) = &status.result {
            verify("result.json", &bytes, expected)?;
        }
        let unreadable = |error: serde_json::Error| damaged("result.json", error.to_string());
        let named: Named = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if named.schema != RESULT_SCHEMA {
            let message = format!("its schema is {}, this program reads {RESULT_SCHEMA}", named.schema);
            return Err(damaged("result.json", message));
        }
        if named.cell != self.id() {
            return Err(damaged("result.json", format!("it is the result of cell {}", named.cell)));
        }
        let result: CellResult = serde_json::from_slice(&bytes).map_err(unreadable)?;
        for (name, expected) in &result.files {
            verify(name, &self.recorded(name)?, expected)?;
        }
        Ok(Some(result))
    }

    /// Records that a cell with a verified result is done, and drops what only training needs: a process that wrote the
    /// result may have been killed before it could.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn settle(&self) -> Result<()> {
        let training = self.file("checkpoint/training.safetensors");
        match fs::remove_file(&training) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::file(&training, "cannot be removed")(error))
            }
            _ if self.status().state == State::Done => Ok(()),
            _ => self.set_done(),
        }
    }

    /// Moves the folder aside, to the first `ID.damaged-N` that is free: nothing that was computed is deleted.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn set_aside(&self) -> Result<PathBuf> {
        let place = |number: u32| self.0.with_file_name(format!("{}.damaged-{number}", self.id()));
        let free = (1..).map(place).find(|place| !place.exists()).unwrap_or_else(|| place(0));
        fs::rename(&self.0, &free).map_err(Error::file(&self.0, "cannot be moved aside"))?;
        Ok(free)
    }

    /// The cell's identifier: the name of its folder.
    pub fn id(&self) -> &str {
        self.0.file_name().and_then(OsStr::to_str).unwrap_or_default()
    }
}

/// Whether an open file is the one that the path names now.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let named = fs::metadata(path).map(identity);
    file.metadata().map(identity).is_ok_and(|own| named.is_ok_and(|named| named == own))
}

/// What a result says of itself, whatever its schema.
#[derive(Deserialize)]
struct Named {
    schema: u32,
    cell: String,
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that opened the lock file before the folder was set aside must not take its lock for that of the new one.
    #[test]
    fn the_lock_of_a_folder_that_was_set_aside_is_no_lock_of_the_cell() {
        let run = tempfile::tempdir().unwrap();
        let cell = RunFolder::new(run.path(), "run").cell("0123456789abcdef");
        let held = cell.claim().unwrap().unwrap();
        assert!(is_at(&held, &cell.file("lock")));
        assert!(cell.lock().unwrap().is_none(), "it is held");
        let aside = cell.set_aside().unwrap();
        assert!(!is_at(&held, &cell.file("lock")), "nothing is there");
        let claimed = cell.claim().unwrap().unwrap();
        assert!(!is_at(&held, &cell.file("lock")) && is_at(&claimed, &cell.file("lock")));
        assert!(is_at(&held, &aside.join("lock")));
    }
}
