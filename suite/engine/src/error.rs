//! Errors of the engine, each with the exit status it deserves.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use haltbench_sdk::visible::on_one_line;

use crate::plugins::PluginError;

/// What can go wrong between a suite file and a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A suite file, a flag or a parameter is wrong.
    #[error("{0}")]
    Usage(String),
    /// A plugin was refused.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A plugin's call failed.
    #[error(transparent)]
    Contract(#[from] haltbench_sdk::Error),
    /// A file could not be read or written.
    #[error("{}: {action}: {source}", on_one_line(&path.display().to_string()))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What failed, such as "cannot be read".
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Recorded data fail their verification.
    #[error("{}: damaged: {}", on_one_line(&path.display().to_string()), on_one_line(message))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What fails the verification.
        message: String,
    },
    /// A cell failed while it ran.
    #[error("{0}")]
    Cell(String),
    /// A signal asked the run to stop; it can be resumed.
    #[error("interrupted by signal {0}; the run can be resumed")]
    Interrupted(i32),
}

/// Result of the engine's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failed file operation, for `map_err`.
    pub fn file(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, action, source }
    }

    /// Exit status: 1 a cell or the system failed, 2 usage, 3 plugin refused, 4 damaged data, 128 + n interrupted by
    /// signal n.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::Cell(_) => 1,
            Self::Usage(_) | Self::Contract(_) => 2,
            Self::File { source, .. } => io_status(source.kind()),
            Self::Plugin(error) => error.exit_status(),
            Self::Damaged { .. } => 4,
            Self::Interrupted(signal) => 128 + signal,
        }
    }
}

/// Exit status of a failed file operation: 2 if another path is needed, 1 if the system failed, such as a full disk.
pub fn io_status(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::AlreadyExists
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::DirectoryNotEmpty
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput
        | ErrorKind::InvalidData => 2,
        _ => 1,
    }
}

impl From<haltbench_sdk::candle_core::Error> for Error {
    fn from(error: haltbench_sdk::candle_core::Error) -> Self {
        Self::Contract(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_wrong_path_is_the_users_and_a_full_disk_the_systems() {
        let status = |error: io::Error| Error::file(Path::new("a\n\u{1b}"), "cannot be written")(error).exit_status();
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::IsADirectory, ErrorKind::InvalidInput]
        {
            assert_eq!(status(kind.into()), 2, "{kind}");
        }
        // No space, a file larger than the limit, a failing disk, too many open files.
        for code in [libc::ENOSPC, libc::EFBIG, libc::EIO, libc::EMFILE, libc::EDQUOT] {
            assert_eq!(status(io::Error::from_raw_os_error(code)), 1, "{code}");
        }
        let error = Error::file(Path::new("a\n\u{1b}"), "cannot be read")(ErrorKind::NotFound.into());
        assert_eq!(error.to_string(), "a\\n\\u{1b}: cannot be read: entity not found");
    }
}
