//! Identity of files: cargo's outputs have several paths for one file, and the dynamic linker opens a file only once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{PluginError, inaccessible};

/// What the dynamic linker treats as one library: one path, or one file under several paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileIdentity {
    pub(super) path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity of an existing file.
    pub(super) fn of(file: &Path) -> Result<Self, PluginError> {
        let path = file.canonicalize().map_err(|error| inaccessible(file, error))?;
        let metadata = fs::metadata(&path).map_err(|error| inaccessible(file, error))?;
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether opening the other after this one returns the library that is already open.
    pub(super) fn is_same_library(&self, other: &Self) -> bool {
        self.path == other.path || (self.device, self.inode) == (other.device, other.inode)
    }
}
