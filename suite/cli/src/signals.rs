//! Stores SIGINT, SIGTERM and SIGHUP in a number that long work checks. What does not stop in time is ended, and a second signal
//! ends the process at once.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// How long a command may take to stop. Whatever is not checked meanwhile, such as a leaderboard, ends here.
pub const PATIENCE: Duration = Duration::from_millis(2800);

/// Signals that arrive so close together are one.
const TOGETHER: Duration = Duration::from_millis(500);

/// Installs the handlers; the number is 0 until a signal arrives. If the process has not ended `patience` after the
/// first signal, or at the second one, `end` is called with the number of the signal.
/// A closed terminal sends SIGHUP: work is stopped so
/// that it can be resumed, unless the program was started so that it ignores this signal, as `nohup` does.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn watch(patience: Duration, end: fn(i32) -> !) -> Result<Arc<AtomicI32>, Failure> {
    let number = Arc::new(AtomicI32::new(0));
    let mut watched = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        watched.push(SIGHUP);
    }
    let failed = |error: io::Error| Failure::failed(format!("signal handlers: {error}"));
    let mut signals = Signals::new(watched).map_err(failed)?;
    let seen = number.clone();
    thread::spawn(move || {
        let mut first: Option<Instant> = None;
        for signal in signals.forever() {
            let _ = seen.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
            match first {
                // Batch systems signal a script and its children at once.
                Some(first) if first.elapsed() < TOGETHER => continue,
                Some(_) => end(signal),
                None => first = Some(Instant::now()),
            }
            thread::spawn(move || {
                thread::sleep(patience);
                end(signal);
            });
        }
    });
    Ok(number)
}

/// Ends this process at once, without the destructors of libraries, which may hang. Its workers end with it.
pub fn exit_now(signal: i32) -> ! {
    // SAFETY: `_exit` takes any number. Standard output is not flushed, because the main thread may hold it and hang.
    unsafe { libc::_exit(128 + signal) }
}

/// Whether this process was started so that it ignores `signal`.
fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, sigaction only writes the present one to `action`, which has its type.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all of `action` was zeroed, which is a valid value of this C structure, or written by the call.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Makes a write beyond the limit of a file's size (`ulimit -f`) fail with an error that has the file's path, also in
/// the processes that this one starts: by default, SIGXFSZ kills without a word.
pub fn survive_large_files() {
    // SAFETY: ignoring a signal installs no handler, and nothing else in this process handles SIGXFSZ.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
