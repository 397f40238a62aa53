//! What is said beside the results.

use std::io::{self, Write};

/// Writes `kind: message` on standard error. There is nobody to tell if that fails.
pub fn say(kind: &str, message: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {message}");
}
