//! The lock of a folder, which another run may hold.

use std::fs::File;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::store::{Folder, Record};

/// How often a worker looks whether another process still holds what it waits for.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until no other process holds the folder: one that is at work on it finishes it for both, and one that dies lets
/// go of it.
pub(super) fn wait_for_lock<R: Record>(folder: &Folder<R>, monitor: &dyn Monitor) -> Result<File> {
    let mut is_said = false;
    loop {
        if let Some(lock) = folder.lock()? {
            return Ok(lock);
        }
        if let Some(signal) = monitor.interrupted() {
            return Err(Error::Interrupted(signal));
        }
        if !is_said {
            folder.log("waiting for another process that is at work on it")?;
            is_said = true;
        }
        thread::sleep(PAUSE);
    }
}
