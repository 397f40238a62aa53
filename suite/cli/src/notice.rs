//! Notices beside the results.

use std::io::{self, Write};

/// Writes a line on standard error. A failure to write is ignored.
pub fn line(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Writes `kind: message` on standard error. A failure to write is ignored.
pub fn say(kind: &str, message: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {message}");
}
