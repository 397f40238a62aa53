//! A result that another run may be about to write.

use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::monitor::Monitor;
use crate::store::{Folder, Record};

/// Interval at which a worker looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// The verified result in a folder; waits as long as another run works on it. `None` if nobody does and there is none.
pub(super) fn wait_for_result<R: Record>(folder: &Folder<R>, monitor: &dyn Monitor) -> Result<Option<R>> {
    loop {
        // In this order: the lock is released after the result is written.
        let is_locked = folder.is_locked();
        let result = folder.result()?;
        if result.is_some() || !is_locked {
            return Ok(result);
        }
        if let Some(signal) = monitor.interrupted() {
            return Err(Error::Interrupted(signal));
        }
        monitor.waiting();
        thread::sleep(PAUSE);
    }
}
