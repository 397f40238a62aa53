//! The machine that this process runs on.

use std::fs;
use std::sync::LazyLock;

/// Id of the machine's start, which no two machines share; empty if the system does not tell it.
pub fn boot() -> &'static str {
    static BOOT: LazyLock<String> =
        LazyLock::new(|| fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned());
    &BOOT
}
