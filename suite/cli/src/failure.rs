//! Failure of a command: the message on standard error and the exit status.

use std::io;

use haltbench_engine::Error;
use haltbench_engine::error::io_status;
use haltbench_engine::plugins::PluginError;

use crate::notice;

/// A failure at run time.
const FAILED: i32 = 1;

/// The command line, a suite file or a path is wrong.
const USAGE: i32 = 2;

/// Data are damaged.
const DAMAGED: i32 = 4;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// `None` ends the program quietly.
    message: Option<String>,
    status: i32,
}

impl Failure {
    /// Wrong arguments, files or values.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), status: USAGE }
    }

    /// Damaged input.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), status: DAMAGED }
    }

    /// An error that another process of this program reported.
    pub fn with_status(message: String, status: i32) -> Self {
        Self { message: Some(message), status }
    }

    /// The system failed while the program ran.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), status: FAILED }
    }

    /// A bug of this program.
    pub fn internal(message: &str) -> Self {
        Self { message: Some(format!("internal error: {message}; this is a bug of haltbench")), status: FAILED }
    }

    /// Standard input cannot be read.
    pub fn stdin(error: &io::Error) -> Self {
        let message = format!("standard input: cannot be read: {error}");
        Self { message: Some(message), status: io_status(error.kind()) }
    }

    /// Standard output cannot be written. A reader that stops reading, such as `head`, is no failure.
    pub fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { message: None, status: 0 };
        }
        Self::failed(format!("standard output: cannot be written: {error}"))
    }

    /// Whether nothing went wrong but that a reader has stopped reading.
    pub fn is_quiet(&self) -> bool {
        self.message.is_none() && self.status == 0
    }

    /// The message.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Prints the message on standard error and returns the exit status.
    pub fn report(&self) -> i32 {
        if let Some(message) = &self.message {
            notice::say("error", message);
        }
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { message: Some(error.to_string()), status: error.exit_status() }
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self { message: Some(error.to_string()), status: error.exit_status() }
    }
}

impl From<haltbench_sdk::Error> for Failure {
    fn from(error: haltbench_sdk::Error) -> Self {
        Self::usage(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_not() {
        let closed = Failure::stdout(&io::ErrorKind::BrokenPipe.into());
        assert_eq!((closed.message, closed.status), (None, 0));
        let full = Failure::stdout(&io::ErrorKind::StorageFull.into());
        assert!(full.message.is_some_and(|message| message.starts_with("standard output: ")));
        assert_eq!(full.status, 1);
    }

    #[test]
    fn errors_keep_the_exit_status_of_their_kind() {
        assert_eq!(Failure::from(Error::Cell(String::new())).status, 1);
        assert_eq!(Failure::from(Error::Usage(String::new())).status, 2);
        assert_eq!(Failure::from(Error::Interrupted(2)).status, 130);
        assert_eq!(Failure::from(PluginError::NotAPlugin { file: "a.so".into() }).status, 3);
        assert_eq!(Failure::from(haltbench_sdk::Error::unknown("task", "a", [])).status, 2);
    }
}
