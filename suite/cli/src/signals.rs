//! Stores SIGINT and SIGTERM in a number that long work checks. What does not stop in time is ended, and a second signal
//! ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// How long a command may take to stop. Whatever is not checked meanwhile, such as a leaderboard, ends here.
pub const PATIENCE: Duration = Duration::from_millis(2800);

/// Installs the handlers; the number is 0 until a signal arrives. If the process has not ended `patience` after the
/// first signal, or at the second one, `end` is called with the number of the signal.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn watch(patience: Duration, end: fn(i32) -> !) -> Result<Arc<AtomicI32>, Failure> {
    let number = Arc::new(AtomicI32::new(0));
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| Failure::usage(format!("signal handlers: {error}")))?;
    let seen = number.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if seen.swap(signal, Ordering::Relaxed) != 0 {
                end(signal);
            }
            thread::spawn(move || {
                thread::sleep(patience);
                end(signal);
            });
        }
    });
    Ok(number)
}

/// Ends this process at once. Its workers end with it.
pub fn exit_now(signal: i32) -> ! {
    std::process::exit(128 + signal)
}
