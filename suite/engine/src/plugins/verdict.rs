//! What trials of libraries have found, for those who open them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How each tried library ended the child, by the path without symbolic links; `None` if it did not.
static VERDICTS: Mutex<BTreeMap<PathBuf, Option<String>>> = Mutex::new(BTreeMap::new());

/// Whether this process is a child that tries libraries.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

fn verdicts() -> MutexGuard<'static, BTreeMap<PathBuf, Option<String>>> {
    VERDICTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, this process is a child that tries libraries.
pub fn become_child() {
    IS_CHILD.store(true, Ordering::SeqCst);
}

/// Whether this process is a child that tries libraries.
pub fn is_child() -> bool {
    IS_CHILD.load(Ordering::SeqCst)
}

/// Whether the library at `path`, which has no symbolic links, has been tried.
pub fn is_tried(path: &Path) -> bool {
    verdicts().contains_key(path)
}

/// Records how a library ended the child that tried it, if it did.
pub fn record(path: &Path, how: Option<String>) {
    verdicts().insert(path.to_owned(), how);
}

/// How the library at `path`, which has no symbolic links, ended the child that tried it.
pub fn deadly(path: &Path) -> Option<String> {
    verdicts().get(path).cloned().flatten()
}
