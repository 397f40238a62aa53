//! Atomic writes: after a crash, a file has either its old or its new content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::machine;
use crate::error::{Error, Result};

/// Ending of the name of a file that is being written.
pub(super) const BEGUN: &str = ".new";

/// Writes `bytes` to `path`: to a sibling file first, synchronised to disk, then renamed over it. Processes of one machine
/// that write the same file do so one after the other. Machines may not see each other's locks, so each has a sibling of
/// its own.
///
/// # Errors
/// [`Error::File`] naming the path.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let sibling = sibling(path);
    let write = || {
        let mut file = open_alone(&sibling)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if let Err(error) = fs::rename(&sibling, path) {
            // The file is still ours, because it is locked. If it cannot be removed, it does no harm.
            let _ = fs::remove_file(&sibling);
            return Err(error);
        }
        // The rename itself is durable once the folder is.
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    };
    write().map_err(Error::file(path, "cannot be written"))
}

/// An empty file at `path`, locked against other writers as long as it is open.
fn open_alone(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        let opened = file.metadata()?;
        // The previous holder of the lock may have renamed the file: then this path has another file now.
        if fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (opened.dev(), opened.ino())) {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

fn sibling(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    if !machine::boot().is_empty() {
        name.push(".");
        name.push(machine::boot());
    }
    name.push(BEGUN);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn writers_at_once_leave_a_whole_file_of_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let contents = [1, 500, 20_000, 300_000].map(|length| vec![b'0' + (length % 7) as u8; length]);
        write_atomic(&path, &contents[0]).unwrap();
        thread::scope(|scope| {
            for bytes in &contents {
                scope.spawn(|| (0..25).for_each(|_| write_atomic(&path, bytes).unwrap()));
            }
            for _ in 0..100 {
                assert!(contents.contains(&fs::read(&path).unwrap()), "a torn file");
            }
        });
        assert!(contents.contains(&fs::read(&path).unwrap()), "a torn file");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a sibling stays");
    }
}
