//! The folder of one model or one cell: its plan, its results and a lock.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{BEGUN, write_atomic};
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
    id: String,
    record: PhantomData<R>,
}

/// Prefix of the folders in which workers compute.
const WORK: &str = "work-";

impl<R: Record> Folder<R> {
    /// The folder at `path`, whose name is the identifier of the model or cell.
    pub fn at(path: PathBuf) -> Self {
        let id = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        Self { path, id, record: PhantomData }
    }

    /// The folder at `path` in which the model or cell `id` is computed.
    pub fn of_work(path: PathBuf, id: &str) -> Self {
        Self { path, id: id.to_owned(), record: PhantomData }
    }

    /// The folder inside this one in which a worker of `owner` computes. A worker never writes anywhere else. What an
    /// earlier owner left, such as a checkpoint, is taken over; its worker, if it still runs, loses its files.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn work(&self, owner: &str) -> Result<Self> {
        let path = self.path.join(format!("{WORK}{owner}"));
        let left = self.entries()?.into_iter().filter(|name| name.starts_with(WORK));
        for left in left.map(|name| self.path.join(name)).filter(|left| *left != path) {
            match path.exists() {
                false => fs::rename(&left, &path).map_err(Error::file(&left, "cannot be moved"))?,
                true => remove(&left)?,
            }
        }
        fs::create_dir_all(&path).map_err(Error::file(&path, "cannot be created"))?;
        Ok(Self::of_work(path, &self.id))
    }

    /// Names of the files and folders in it, in order.
    fn entries(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.path).map_err(Error::file(&self.path, "cannot be listed"))?;
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Admits the result that a worker left in `work`: copies the files that it names, each checked against its hash,
    /// then the result, and settles the folder. The caller owns the folder.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming what fails verification; [`Error::File`].
    pub fn admit(&self, work: &Self, plan: &R::Plan) -> Result<()> {
        let damaged = |name: &str, message: String| Error::Damaged { path: work.file(name), message };
        let bytes = work.recorded("result.json")?;
        let result = work.parsed(&bytes)?;
        for (name, expected) in result.files() {
            if name.contains('/') || OWN.contains(&name.as_str()) {
                return Err(damaged("result.json", format!("it names the file {name}")));
            }
            let content = work.recorded(name)?;
            if hash(&content) != *expected {
                return Err(damaged(name, format!("its hash is {}, recorded is {expected}", hash(&content))));
            }
            if name == "plan.toml" && content != plan_text::<R>(plan)?.as_bytes() {
                return Err(damaged(name, "it is another plan than was given".to_owned()));
            }
            write_atomic(&self.file(name), &content)?;
        }
        // The time of training before an interruption is in the same file.
        if let Some(timings) = work.timings() {
            self.write_json("timings.json", &timings)?;
        }
        write_atomic(&self.file("result.json"), &bytes)?;
        self.release()?;
        self.set_status(&Status::done(hash(&bytes)))
    }

    /// Removes what workers left, and the claim. The status done comes after it, so that nothing is left in a folder that
    /// is done, whenever a run is killed.
    fn release(&self) -> Result<()> {
        let is_of_a_run = |name: &&String| name.starts_with(WORK) || *name == CLAIM;
        self.entries()?.iter().filter(is_of_a_run).try_for_each(|name| remove(&self.path.join(name)))
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
        write_atomic(&self.file("plan.toml"), plan_text::<R>(plan)?.as_bytes())
    }

    /// Removes all results. The caller owns the folder, and keeps it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn clear(&self) -> Result<()> {
        let own = |name: &String| !OWN.contains(&name.as_str());
        self.entries()?.iter().filter(|name| own(name)).try_for_each(|name| remove(&self.path.join(name)))
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

    /// Whether another process holds the folder's lock. Needs no permission to write.
    pub fn is_locked(&self) -> bool {
        File::open(self.file("lock"))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
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
        fs::create_dir_all(&self.path).map_err(Error::file(&self.path, "cannot be created"))?;
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
        let verify = |name: &str, bytes: &[u8], expected: &str| {
            let found = hash(bytes);
            if found == expected {
                return Ok(());
            }
            let message = format!("its hash is {found}, recorded is {expected}");
            Err(Error::Damaged { path: self.file(name), message })
        };
        if let Some(expected) = &status.result {
            verify("result.json", &bytes, expected)?;
        }
        let result = self.parsed(&bytes)?;
        for (name, expected) in result.files() {
            verify(name, &self.recorded(name)?, expected)?;
        }
        Ok(Some(result))
    }

    /// The result in the bytes of `result.json`, if it is this folder's and of this schema.
    fn parsed(&self, bytes: &[u8]) -> Result<R> {
        let damaged = |message: String| Error::Damaged { path: self.file("result.json"), message };
        let unreadable = |error: serde_json::Error| damaged(error.to_string());
        let named: Named = serde_json::from_slice(bytes).map_err(unreadable)?;
        if named.schema != R::SCHEMA {
            return Err(damaged(format!("its schema is {}, this program reads {}", named.schema, R::SCHEMA)));
        }
        let own = if R::OF == "model" { &named.model } else { &named.cell };
        if own.as_deref() != Some(self.id()) {
            return Err(damaged(match own {
                Some(own) => format!("it is the result of {} {own}", R::OF),
                None => format!("it does not name its {}", R::OF),
            }));
        }
        serde_json::from_slice(bytes).map_err(unreadable)
    }

    /// Completes a folder with a verified result, in case the process that wrote the result was killed before it could:
    /// removes what workers left and the claim, and records the status done. The caller owns the folder.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn settle(&self) -> Result<()> {
        self.release()?;
        if self.status().state == State::Done { Ok(()) } else { self.set_done() }
    }

    /// Removes files that a killed process has begun to write. The caller owns the folder.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn remove_leftovers(&self) -> Result<()> {
        let begun = |name: &&String| name.ends_with(BEGUN);
        self.entries()?.iter().filter(begun).try_for_each(|name| remove(&self.path.join(name)))
    }

    /// Moves everything in the folder to the first free folder `ID.damaged-N`, so that no results are deleted. The
    /// caller owns the folder, and keeps it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn set_aside(&self) -> Result<PathBuf> {
        let place = |number: u32| self.path.with_file_name(format!("{}.damaged-{number}", self.id));
        let free = (1..).map(place).find(|place| !place.exists()).unwrap_or_else(|| place(0));
        fs::create_dir(&free).map_err(Error::file(&free, "cannot be created"))?;
        for name in self.entries()?.iter().filter(|name| !OWN.contains(&name.as_str())) {
            let path = self.path.join(name);
            fs::rename(&path, free.join(name)).map_err(Error::file(&path, "cannot be moved aside"))?;
        }
        Ok(free)
    }

    /// The identifier of the model or cell: the name of its folder.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Name of the file that says which run works on a folder.
pub(super) const CLAIM: &str = "claim.json";

/// Files that belong to the owner of a folder.
const OWN: [&str; 2] = ["lock", CLAIM];

fn plan_text<R: Record>(plan: &R::Plan) -> Result<String> {
    toml::to_string(plan).map_err(|error| Error::Usage(format!("plan: {error}")))
}

/// Removes a file or a folder.
fn remove(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let outcome = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path, "cannot be removed")(error)),
        _ => Ok(()),
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

    /// A process that opened the lock file before the folder was removed must not mistake it for the lock of the new
    /// folder.
    #[test]
    fn the_lock_of_a_folder_that_was_removed_is_no_lock_of_the_cell() {
        let run = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(run.path().join("0123456789abcdef"));
        let held = cell.claim().unwrap().unwrap();
        assert!(is_at(&held, &cell.file("lock")));
        assert!(cell.lock().unwrap().is_none(), "it is held");
        fs::rename(cell.path(), run.path().join("elsewhere")).unwrap();
        assert!(!is_at(&held, &cell.file("lock")), "nothing is there");
        let claimed = cell.claim().unwrap().unwrap();
        assert!(!is_at(&held, &cell.file("lock")) && is_at(&claimed, &cell.file("lock")));
    }

    #[test]
    fn a_folder_that_is_set_aside_or_cleared_keeps_its_lock() {
        let run = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(run.path().join("0123456789abcdef"));
        let _held = cell.claim().unwrap().unwrap();
        fs::write(cell.file("tokens.parquet"), "tokens").unwrap();
        let aside = cell.set_aside().unwrap();
        assert_eq!(fs::read(aside.join("tokens.parquet")).unwrap(), b"tokens");
        assert_eq!(cell.entries().unwrap(), ["lock"]);
        fs::write(cell.file("tokens.parquet"), "tokens").unwrap();
        cell.work("one").unwrap();
        cell.clear().unwrap();
        assert_eq!(cell.entries().unwrap(), ["lock"]);
        assert!(cell.lock().unwrap().is_none(), "it is held");
    }

    /// The checkpoint goes to the next owner; the worker of the last one can no longer write.
    #[test]
    fn the_work_of_an_earlier_owner_is_taken_over() {
        let run = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(run.path().join("0123456789abcdef"));
        fs::create_dir_all(cell.path()).unwrap();
        let first = cell.work("one").unwrap();
        fs::write(first.file("training.safetensors"), "weights").unwrap();
        let second = cell.work("two").unwrap();
        assert_eq!(fs::read(second.file("training.safetensors")).unwrap(), b"weights");
        assert_eq!(second.id(), cell.id());
        assert!(write_atomic(&first.file("result.json"), b"{}").is_err());
    }
}
