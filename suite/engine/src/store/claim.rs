//! Claims: which run works on a folder.
//!
//! A claim is the lock of the folder and the file `claim.json` in it. The system releases the lock when its process
//! ends, so on one machine a dead process loses its claims at once. Other machines may not see the lock; they see that
//! the owner no longer renews the file, and take it over after [`LEASE`] by their own clock. Results do not depend on
//! claims: two owners of one folder would compute the same bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::atomic::{BEGUN, write_atomic};
use super::folder::{CLAIM, Folder};
use super::machine;
use super::record::Record;
use crate::error::{Error, Result};

/// Time without a renewal after which another machine takes a claim over.
pub const LEASE: Duration = Duration::from_secs(30);

/// Interval between two renewals.
const RENEWAL: Duration = Duration::from_secs(5);

/// `claim.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The run that owns the claim.
    owner: String,
    /// The start of its machine, which no two machines share.
    boot: String,
    /// Its process.
    process: u32,
    /// Renewals so far.
    renewals: u64,
}

/// The claims of one run.
pub struct Claims {
    owner: String,
    boot: String,
    lease: Duration,
    held: Arc<Mutex<BTreeMap<PathBuf, Note>>>,
    /// Claims of other machines: their text, and since when it has not changed.
    seen: Mutex<BTreeMap<PathBuf, (Vec<u8>, Instant)>>,
    /// Dropped together with the claims, which ends the thread that renews them.
    _renewing: Sender<()>,
}

/// A folder that belongs to this run until the claim is dropped.
pub struct Claim {
    folder: PathBuf,
    note: Note,
    held: Arc<Mutex<BTreeMap<PathBuf, Note>>>,
    _lock: File,
}

impl Claims {
    /// No claims of this process yet.
    pub fn new() -> Self {
        Self::of(machine::boot().to_owned(), LEASE)
    }

    fn of(boot: String, lease: Duration) -> Self {
        let process = std::process::id();
        // The start of a process tells it apart from an earlier one with the same number.
        let stat = fs::read("/proc/self/stat").unwrap_or_default();
        let key = [boot.as_bytes(), &process.to_le_bytes(), &stat].concat();
        let owner = blake3::hash(&key).to_hex()[..16].to_owned();
        let held: Arc<Mutex<BTreeMap<PathBuf, Note>>> = Arc::default();
        let (renewing, ended) = channel::<()>();
        let renewed = held.clone();
        thread::spawn(move || {
            while matches!(ended.recv_timeout(RENEWAL), Err(RecvTimeoutError::Timeout)) {
                renew(&renewed);
            }
        });
        Self { owner, boot, lease, held, seen: Mutex::default(), _renewing: renewing }
    }

    /// The run that owns these claims, as a word.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Claims a folder whose lock this run has; `None` if a run on another machine works on it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn take<R: Record>(&self, folder: &Folder<R>, lock: File) -> Result<Option<Claim>> {
        let path = folder.file(CLAIM);
        match fs::read(&path) {
            Ok(text) if !self.is_free(&path, &text) => return Ok(None),
            // The lock is ours, so nobody on this machine removes or replaces the file.
            Ok(_) => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::file(&path, "cannot be removed")(error));
                }
                _ => {}
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&path, "cannot be read")(error)),
        }
        let note =
            Note { owner: self.owner.clone(), boot: self.boot.clone(), process: std::process::id(), renewals: 0 };
        // Only one machine creates the file, and it is never half written: a kill in between would make even this machine
        // wait for the lease.
        let sibling = folder.file(&format!("claim-{}{BEGUN}", self.owner));
        let create = || -> std::io::Result<()> {
            if let Err(error) = fs::write(&sibling, serde_json::to_vec(&note)?) {
                // Half of it would stay on a disk that is full.
                let _ = fs::remove_file(&sibling);
                return Err(error);
            }
            let linked = fs::hard_link(&sibling, &path);
            fs::remove_file(&sibling)?;
            match linked {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    // A file system without hard links.
                    File::create_new(&path)?.write_all(&serde_json::to_vec(&note)?)
                }
                linked => linked,
            }
        };
        match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            other => other.map_err(Error::file(&path, "cannot be written"))?,
        }
        lock_notes(&self.held).insert(folder.path().to_owned(), note.clone());
        Ok(Some(Claim { folder: folder.path().to_owned(), note, held: self.held.clone(), _lock: lock }))
    }

    /// Whether the owner of a claim with this text is gone. The caller has the folder's lock.
    fn is_free(&self, path: &Path, text: &[u8]) -> bool {
        let note: Option<Note> = serde_json::from_slice(text).ok();
        // On this machine, the lock would still be held.
        if note.is_some_and(|note| note.boot == self.boot) {
            return true;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(path) {
            Some((known, since)) if known == text => since.elapsed() > self.lease,
            _ => {
                seen.insert(path.to_owned(), (text.to_owned(), Instant::now()));
                false
            }
        }
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self::new()
    }
}

impl Claim {
    /// Whether the folder still belongs to this run: another machine takes a claim over that was not renewed in time.
    pub fn holds(&self) -> bool {
        let text = fs::read(self.folder.join(CLAIM)).unwrap_or_default();
        serde_json::from_slice(&text).is_ok_and(|note: Note| note.owner == self.note.owner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock_notes(&self.held).remove(&self.folder);
        if self.holds() {
            // Whoever finds it knows that its owner is gone.
            let _ = fs::remove_file(self.folder.join(CLAIM));
        }
    }
}

fn lock_notes(held: &Mutex<BTreeMap<PathBuf, Note>>) -> MutexGuard<'_, BTreeMap<PathBuf, Note>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews every claim that still belongs to its owner.
fn renew(held: &Mutex<BTreeMap<PathBuf, Note>>) {
    for (folder, note) in lock_notes(held).iter_mut() {
        let path = folder.join(CLAIM);
        let found: Option<Note> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if found.is_some_and(|found| found.owner == note.owner) {
            note.renewals += 1;
            if let Ok(text) = serde_json::to_vec(&*note) {
                // If it cannot be written, another machine takes over in the end.
                let _ = write_atomic(&path, &text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CellFolder;

    fn claims(boot: &str, lease: Duration) -> Claims {
        let mut claims = Claims::of(boot.to_owned(), lease);
        claims.owner = format!("{boot}-{:p}", Arc::as_ptr(&claims.held));
        claims
    }

    fn take(claims: &Claims, cell: &CellFolder) -> Option<Claim> {
        cell.claim().unwrap().and_then(|lock| claims.take(cell, lock).unwrap())
    }

    #[test]
    fn one_run_at_a_time_owns_a_folder() {
        let runs = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(runs.path().join("0123456789abcdef"));
        let [one, two] = [(), ()].map(|()| claims("here", LEASE));
        let own = take(&one, &cell).unwrap();
        assert!(own.holds() && take(&two, &cell).is_none());
        drop(own);
        assert!(!cell.file(CLAIM).exists());
        assert!(take(&two, &cell).is_some());
    }

    /// A killed process leaves its claim behind, but not its lock.
    #[test]
    fn a_dead_process_loses_its_claims_on_its_machine_at_once_and_elsewhere_after_the_lease() {
        let runs = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(runs.path().join("0123456789abcdef"));
        let left = |renewals| {
            let note = Note { owner: "dead".to_owned(), boot: "here".to_owned(), process: 1, renewals };
            fs::write(cell.file(CLAIM), serde_json::to_vec(&note).unwrap()).unwrap();
        };
        fs::create_dir_all(cell.path()).unwrap();
        left(3);
        assert!(take(&claims("here", LEASE), &cell).is_some());
        left(3);
        let lease = Duration::from_millis(200);
        let elsewhere = claims("there", lease);
        assert!(take(&elsewhere, &cell).is_none());
        thread::sleep(lease);
        left(4);
        assert!(take(&elsewhere, &cell).is_none(), "it was renewed");
        thread::sleep(lease + Duration::from_millis(50));
        let own = take(&elsewhere, &cell).unwrap();
        assert!(own.holds());
        left(5);
        assert!(!own.holds(), "another machine took it over");
    }

    #[test]
    fn a_renewed_claim_changes_and_a_lost_one_is_left_alone() {
        let runs = tempfile::tempdir().unwrap();
        let cell = CellFolder::at(runs.path().join("0123456789abcdef"));
        let claims = claims("here", LEASE);
        let own = take(&claims, &cell).unwrap();
        let before = fs::read(cell.file(CLAIM)).unwrap();
        renew(&claims.held);
        assert_ne!(fs::read(cell.file(CLAIM)).unwrap(), before);
        assert!(own.holds());
        fs::write(cell.file(CLAIM), "of another run").unwrap();
        renew(&claims.held);
        drop(own);
        assert_eq!(fs::read(cell.file(CLAIM)).unwrap(), b"of another run");
    }
}
