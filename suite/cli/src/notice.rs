//! Notices beside the results.

use std::io::{self, Write};

use haltbench_sdk::visible::on_lines;

/// Writes `kind: message` on standard error.
pub fn say(kind: &str, message: &str) {
    line(&format!("{kind}: {message}"));
}

/// Writes a line on standard error, with characters that a terminal would obey as escapes. A failure to write is
/// ignored: nothing that is computed may depend on whether somebody listens.
pub fn line(message: &str) {
    let _ = writeln!(io::stderr(), "{}", on_lines(message));
}

/// Writes a text of several lines as it is on standard error. A failure to write is ignored.
pub fn text(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
