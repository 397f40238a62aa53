//! Stores SIGINT and SIGTERM in a number that long work checks; a second signal ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// Installs the handlers; the number is 0 until a signal arrives.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn watch() -> Result<Arc<AtomicI32>, Failure> {
    let number = Arc::new(AtomicI32::new(0));
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| Failure::usage(format!("signal handlers: {error}")))?;
    let seen = number.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if seen.swap(signal, Ordering::Relaxed) != 0 {
                std::process::exit(128 + signal);
            }
        }
    });
    Ok(number)
}
