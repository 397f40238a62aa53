//! A log of bounded size.

use std::fs::OpenOptions;
use std::io::{Write, stderr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Error, Result};

/// The most bytes that one process may add to a log.
pub const LARGEST: u64 = 4 << 20;

/// Appends the output of one process to a file or to standard error, at most 4 MiB of it.
pub struct Log {
    output: Option<Box<dyn Write + Send>>,
    written: u64,
    left_out: u64,
}

impl Log {
    /// Appends to the file at `path`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be opened.
    pub fn at(path: &Path) -> Result<Self> {
        // Opening a pipe would wait for a reader; with this flag it fails.
        let file = OpenOptions::new().create(true).append(true).custom_flags(libc::O_NONBLOCK).open(path);
        let file = file.map_err(Error::file(path, "cannot be opened"))?;
        Ok(Self { output: Some(Box::new(file)), written: 0, left_out: 0 })
    }

    /// Appends to standard error.
    pub fn to_standard_error() -> Self {
        Self { output: Some(Box::new(stderr())), written: 0, left_out: 0 }
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self { output: None, written: 0, left_out: 0 }
    }

    /// Appends a line. If the file cannot be written, the line is lost: no result depends on a log.
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some(output) = &mut self.output else { return };
        let length = line.len() as u64 + 1;
        if self.left_out > 0 || self.written + length > LARGEST {
            self.left_out += length;
            return;
        }
        self.written += length;
        let _ = output.write_all(&[line, b"\n"].concat());
    }

    /// Says how much was left out.
    pub(super) fn close(&mut self) {
        if let (Some(output), true) = (&mut self.output, self.left_out > 0) {
            let _ = writeln!(output, "({} more bytes of output are left out)", self.left_out);
        }
        self.output = None;
    }
}
