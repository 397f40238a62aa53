//! Checks whether runs can be written.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The folder of all runs.
#[derive(Debug, Serialize)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whether it exists; `haltbench run` creates it.
    pub exists: bool,
    /// Why it cannot be written or created; null if it can.
    pub problem: Option<String>,
}

impl RunFolder {
    /// Tries to create a file in `path`, or in the nearest existing parent folder, and removes it again.
    pub fn examine(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let existing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let file = existing.join(format!(".haltbench-doctor-{}", std::process::id()));
        let made = OpenOptions::new().write(true).create_new(true).open(&file);
        let problem = made.err().map(|error| format!("{}: cannot be written: {error}", existing.display()));
        if problem.is_none() {
            // It is new and empty: if it cannot be removed, it does no harm.
            let _ = fs::remove_file(&file);
        }
        Self { exists: existing == absolute, path: absolute, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_a_file_cannot_be_made() {
        let folder = std::env::temp_dir().join(format!("haltbench-doctor-test-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let fine = RunFolder::examine(&folder.join("a/b"));
        assert_eq!((fine.exists, fine.problem), (false, None));
        assert!(RunFolder::examine(&folder).exists);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::write(folder.join("file"), "").unwrap();
        let below = RunFolder::examine(&folder.join("file/runs"));
        assert!(below.problem.unwrap().contains("file: cannot be written: "));
        fs::remove_dir_all(&folder).unwrap();
    }
}
