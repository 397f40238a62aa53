//! The lock of a folder, which another run may hold.

use std::fs::File;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::store::{Folder, Record};

/// Interval at which a worker checks whether another process still holds the lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until no other run works on the folder. The other run either finishes its work, or dies and releases the lock.
pub(super) fn wait_for_lock<R: Record>(folder: &Folder<R>, monitor: &dyn Monitor) -> Result<File> {
    loop {
        if let Some(lock) = folder.lock()? {
            return Ok(lock);
        }
        if let Some(signal) = monitor.interrupted() {
            return Err(Error::Interrupted(signal));
        }
        monitor.waiting();
        thread::sleep(PAUSE);
    }
}
