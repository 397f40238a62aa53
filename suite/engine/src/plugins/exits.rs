//! A library whose constructor ends the process must not look like a success.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The message for the library that is being opened; null if none is.
static MESSAGE: AtomicPtr<libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// One library at a time.
static OPENING: Mutex<()> = Mutex::new(());

static REGISTERED: Once = Once::new();

/// Exit status of a refused plugin.
const REFUSED: libc::c_int = 3;

/// While this lives, `exit` ends the process with the status of a refused plugin and a message.
pub(super) struct Guard {
    _one_at_a_time: MutexGuard<'static, ()>,
}

/// Guards the opening of `file`.
pub(super) fn guard(file: &Path) -> Guard {
    let one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    REGISTERED.call_once(|| {
        // SAFETY: `refuse` is a function without arguments that lives as long as the program.
        unsafe { libc::atexit(refuse) };
    });
    let text = [b"error: ", file.as_os_str().as_bytes(), b": it ended the process while it was opened\n"].concat();
    // Never freed: `exit` may be called from any thread at any time.
    MESSAGE.store(CString::new(text).unwrap_or_default().into_raw(), Ordering::SeqCst);
    Guard { _one_at_a_time: one_at_a_time }
}

impl Drop for Guard {
    fn drop(&mut self) {
        MESSAGE.store(std::ptr::null_mut(), Ordering::SeqCst);
    }
}

/// Called by `exit`.
extern "C" fn refuse() {
    let message = MESSAGE.load(Ordering::SeqCst);
    if message.is_null() {
        return;
    }
    // SAFETY: the message is a C string that is never freed.
    unsafe {
        let length = libc::strlen(message);
        let _ = libc::write(2, message.cast(), length);
        libc::_exit(REFUSED);
    }
}
