//! Notices beside the results.

use std::io::{self, Write};

/// Writes `kind: message` on standard error. A failure to write is ignored.
pub fn say(kind: &str, message: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {message}");
}

/// Writes a text of several lines as it is on standard error. A failure to write is ignored.
pub fn text(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
