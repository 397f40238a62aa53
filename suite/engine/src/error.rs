//! Errors of the engine, each with the exit status it deserves.

use std::path::{Path, PathBuf};

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
    #[error("{}: {action}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What failed, such as "cannot be read".
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Recorded data fail their verification.
    #[error("{}: damaged: {message}", path.display())]
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

    /// Exit status: 1 a cell failed, 2 usage, 3 plugin refused, 4 damaged data, 128 + n interrupted by signal n.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::Cell(_) => 1,
            Self::Usage(_) | Self::Contract(_) | Self::File { .. } => 2,
            Self::Plugin(error) => error.exit_status(),
            Self::Damaged { .. } => 4,
            Self::Interrupted(signal) => 128 + signal,
        }
    }
}

impl From<haltbench_sdk::candle_core::Error> for Error {
    fn from(error: haltbench_sdk::candle_core::Error) -> Self {
        Self::Contract(error.into())
    }
}
