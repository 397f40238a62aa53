//! A library that ends the process while it is opened must not look like a success, nor like a crash of the program.
//!
//! A trial in a child finds most of these libraries. A damaged one may survive the trial by chance, because every
//! process has other addresses, and one that means harm may know that it is on trial.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::verdict;

/// The message for the library that is being opened; null if none is.
static MESSAGE: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// One library at a time.
static OPENING: Mutex<()> = Mutex::new(());

static REGISTERED: Once = Once::new();

/// Exit status of a refused plugin.
const REFUSED: libc::c_int = 3;

/// The signals of a crash.
const CRASHES: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// While this lives, `exit` and a crash end the process with a message and the status of a refused plugin.
pub(super) struct Guard {
    before: Vec<(libc::c_int, libc::sigaction)>,
    _one_at_a_time: MutexGuard<'static, ()>,
}

/// Guards the opening of `file`; not in a child on trial, whose end is to tell its parent what happened.
pub(super) fn guard(file: &Path) -> Option<Guard> {
    if verdict::is_child() {
        return None;
    }
    let one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    REGISTERED.call_once(|| {
        // SAFETY: `refuse` is a function without arguments that lives as long as the program.
        unsafe { libc::atexit(refuse) };
    });
    let text = [b"error: ", file.as_os_str().as_bytes(), b": it ended the process while it was opened\n"].concat();
    // Never freed: `exit` may be called from any thread at any time.
    MESSAGE.store(CString::new(text).unwrap_or_default().into_raw(), Ordering::SeqCst);
    let before = CRASHES.into_iter().filter_map(|signal| Some((signal, handle(signal, None)?))).collect();
    Some(Guard { before, _one_at_a_time: one_at_a_time })
}

impl Drop for Guard {
    fn drop(&mut self) {
        MESSAGE.store(std::ptr::null_mut(), Ordering::SeqCst);
        for (signal, action) in &self.before {
            handle(*signal, Some(action));
        }
    }
}

/// Sets the action of a signal, by default [`crashed`], and returns the one before.
fn handle(signal: libc::c_int, action: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    // SAFETY: zeroes are a valid `sigaction`; both pointers are to values that live during the call; the handler makes
    // only async-signal-safe calls.
    unsafe {
        let mut own: libc::sigaction = std::mem::zeroed();
        own.sa_sigaction = crashed as *const () as usize;
        // On the alternative stack, because the fault may be an overflow of this one.
        own.sa_flags = libc::SA_ONSTACK;
        let mut before: libc::sigaction = std::mem::zeroed();
        let outcome = libc::sigaction(signal, action.unwrap_or(&own), &raw mut before);
        (outcome == 0).then_some(before)
    }
}

extern "C" fn crashed(signal: libc::c_int) {
    refuse();
    // SAFETY: `_exit` takes any number.
    unsafe { libc::_exit(128 + signal) };
}

/// Called by `exit`.
extern "C" fn refuse() {
    let message = MESSAGE.load(Ordering::SeqCst);
    if message.is_null() {
        return;
    }
    // SAFETY: the message is a C string that is never freed; all calls are async-signal-safe.
    unsafe {
        let length = libc::strlen(message);
        let _ = libc::write(2, message.cast(), length);
        libc::_exit(REFUSED);
    }
}
