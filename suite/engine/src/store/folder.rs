//! The folder of one model or one cell: its plan, its results and a lock.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomic;
use super::record::Record;
use super::result::{CellResult, ModelResult, Timings};
use super::status::{State, Status};
use crate::error::{Error, Result};
use crate::files;

/// Most bytes of a file that is read as a whole, and of one that describes a model or a cell.
const LARGEST: u64 = 1 << 36;
const LARGEST_RECORD: u64 = 1 << 26;

/// `runs/<suite>/<cell id>/`
pub type CellFolder = Folder<CellResult>;

/// `runs/models/<model id>/`
pub type ModelFolder = Folder<ModelResult>;

/// The folder of one model or one cell.
#[derive(Debug, Clone)]
pub struct Folder<R> {
    path: PathBuf,
    record: PhantomData<R>,
}

impl<R: Record> Folder<R> {
    /// The folder at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self { path, record: PhantomData }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Creates the folder and takes its lock; `None` if another process holds it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn claim(&self) -> Result<Option<File>> {
        fs::create_dir_all(&self.path).map_err(Error::file(&self.path, "cannot be created"))?;
        self.lock()
    }

    /// Writes the plan into the folder, which is created if it is not there.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn create(&self, plan: &R::Plan) -> Result<()> {
        fs::create_dir_all(&self.path).map_err(Error::file(&self.path, "cannot be created"))?;
        let text = toml::to_string(plan).map_err(|error| Error::Usage(format!("plan: {error}")))?;
        write_atomic(&self.file("plan.toml"), text.as_bytes())
    }

    /// Removes all results.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::file(&self.path, "cannot be removed")(error))
            }
            _ => Ok(()),
        }
    }

    /// Takes the folder's lock, held as long as the file is open; `None` if another process holds it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn lock(&self) -> Result<Option<File>> {
        let path = self.file("lock");
        loop {
            let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = open.map_err(Error::file(&path, "cannot be opened"))?;
            match file.try_lock() {
                // If the folder was cleared or moved away since the file was opened, this lock protects nothing.
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
    pub fn plan(&self) -> Result<R::Plan> {
        let path = self.file("plan.toml");
        let text = files::read_text(&path, LARGEST_RECORD).map_err(Error::file(&path, "cannot be read"))?;
        toml::from_str(&text).map_err(|error| Error::Damaged { path, message: error.to_string() })
    }

    /// The recorded status; pending if there is none.
    pub fn status(&self) -> Status {
        let text = files::read_text(&self.file("status.json"), LARGEST_RECORD).unwrap_or_default();
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

    /// Records the status done, with the hash of the result.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Damaged`] if there is no result.
    pub fn set_done(&self) -> Result<()> {
        self.set_status(&Status::done(hash(&self.recorded("result.json")?)))
    }

    /// Reads a file that every finished folder has.
    fn recorded(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.file(name);
        files::read(&path, LARGEST).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::Damaged { path, message: "the file is missing".to_owned() },
            _ => Error::file(&path, "cannot be read")(error),
        })
    }

    /// The timings; `None` if the file is missing, cannot be read or holds times that no clock gives, because no result
    /// depends on it.
    pub fn timings(&self) -> Option<Timings> {
        let text = files::read_text(&self.file("timings.json"), LARGEST_RECORD).ok()?;
        serde_json::from_str(&text).ok().filter(Timings::is_sound)
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

    /// The verified result of a finished folder; `None` if it has not finished.
    ///
    /// The result is written atomically, after all files that it names. A model or cell is therefore done if and only
    /// if it has its own result with this schema and every file verifies, even if `status.json` says otherwise.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming a file that fails verification; [`Error::File`] naming a file that cannot be read,
    /// which may be intact.
    pub fn result(&self) -> Result<Option<R>> {
        let status = self.status();
        let path = self.file("result.json");
        let bytes = match fs::metadata(&path) {
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
        if named.schema != R::SCHEMA {
            let message = format!("its schema is {}, this program reads {}", named.schema, R::SCHEMA);
            return Err(damaged("result.json", message));
        }
        let own = if R::OF == "model" { &named.model } else { &named.cell };
        if own.as_deref() != Some(self.id()) {
            let message = match own {
                Some(own) => format!("it is the result of {} {own}", R::OF),
                None => format!("it does not name its {}", R::OF),
            };
            return Err(damaged("result.json", message));
        }
        let result: R = serde_json::from_slice(&bytes).map_err(unreadable)?;
        for (name, expected) in result.files() {
            verify(name, &self.recorded(name)?, expected)?;
        }
        Ok(Some(result))
    }

    /// Completes a folder with a verified result: records the status done and removes files that only training needs,
    /// in case the process that wrote the result was killed before it could.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn settle(&self) -> Result<()> {
        let training = self.file("training.safetensors");
        match fs::remove_file(&training) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::file(&training, "cannot be removed")(error))
            }
            _ if self.status().state == State::Done => Ok(()),
            _ => self.set_done(),
        }
    }

    /// Moves the folder to the first free name `ID.damaged-N`, so that no results are deleted.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn set_aside(&self) -> Result<PathBuf> {
        let place = |number: u32| self.path.with_file_name(format!("{}.damaged-{number}", self.id()));
        let free = (1..).map(place).find(|place| !place.exists()).unwrap_or_else(|| place(0));
        fs::rename(&self.path, &free).map_err(Error::file(&self.path, "cannot be moved aside"))?;
        Ok(free)
    }

    /// The identifier of the model or cell: the name of its folder.
    pub fn id(&self) -> &str {
        self.path.file_name().and_then(OsStr::to_str).unwrap_or_default()
    }
}

/// Whether `path` still refers to the open file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let named = fs::metadata(path).map(identity);
    file.metadata().map(identity).is_ok_and(|own| named.is_ok_and(|named| named == own))
}

/// Fields that a result has under any schema.
#[derive(Deserialize)]
struct Named {
    schema: u32,
    model: Option<String>,
    cell: Option<String>,
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that opened the lock file before the folder was moved away must not mistake it for the lock of the new
    /// folder.
    #[test]
    fn the_lock_of_a_folder_that_was_set_aside_is_no_lock_of_the_cell() {
        let run = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(run.path().join("0123456789abcdef"));
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
