//! Results, which go to standard output; everything else goes to standard error.

use std::io::{self, BufWriter, StdoutLock, Write};

use haltbench_sdk::visible::on_lines;
use serde::Serialize;

use crate::failure::Failure;

/// Buffered standard output that turns a failed write into a [`Failure`].
pub struct Output {
    stream: BufWriter<StdoutLock<'static>>,
}

impl Output {
    /// Locks standard output.
    pub fn new() -> Self {
        Self { stream: BufWriter::with_capacity(1 << 16, io::stdout().lock()) }
    }

    /// Writes `text` on its own lines, with other characters that a terminal would obey as escapes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.stream.write_all(on_lines(text).as_bytes()).map_err(|error| Failure::stdout(&error))
    }

    /// Writes JSON that is made already on a line of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn line(&mut self, json: &str) -> Result<(), Failure> {
        self.stream.write_all(json.as_bytes()).map_err(|error| Failure::stdout(&error))?;
        self.text("\n")
    }

    /// Writes `value` as JSON on a line of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stream, value).map_err(|error| Failure::stdout(&error.into()))?;
        self.text("\n")
    }

    /// Writes `value` as indented JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.stream, value).map_err(|error| Failure::stdout(&error.into()))?;
        self.text("\n")
    }

    /// Flushes everything that was written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.stream.flush().map_err(|error| Failure::stdout(&error))
    }
}

/// Writes `text` on standard output.
///
/// # Errors
/// If it cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut output = Output::new();
    output.text(text)?;
    output.flush()
}

/// Writes a report on standard output, as indented JSON or as the text that `text` makes of it.
///
/// # Errors
/// If it cannot be written.
pub fn report<R: Serialize>(report: &R, as_json: bool, text: impl FnOnce(&R) -> String) -> Result<(), Failure> {
    let mut output = Output::new();
    if as_json {
        output.json(report)?;
    } else {
        output.text(&text(report))?;
    }
    output.flush()
}
