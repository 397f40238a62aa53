//! Settings, peak and limit of this process's memory.

use std::fs;

/// Keeps freed memory in the process for the next step, which needs the same amount: glibc otherwise returns large
/// blocks to the system at once, and every step pays for fresh pages. No effect with another allocator.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // glibc before 2.35 refuses thresholds above half of its heap size. A refused threshold would keep the old
        // limit and stop it from growing.
        const LARGE: [libc::c_int; 2] = [1 << 30, 32 << 20];
        // SAFETY: mallopt only sets parameters of the allocator, may be called at any time, and returns 0 for
        // parameters that it does not know.
        let set = |parameter, value| unsafe { libc::mallopt(parameter, value) } != 0;
        if LARGE.into_iter().any(|threshold| set(libc::M_MMAP_THRESHOLD, threshold)) {
            set(libc::M_TRIM_THRESHOLD, LARGE[0]);
        }
    }
}

/// Peak resident memory of this process so far, in bytes, if the system reports it.
pub(crate) fn peak_memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The number of bytes of a line such as `MemTotal:   2048 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Memory limit of this process, in bytes: the smallest of the machine's memory, its control groups' limits, and its
/// limit of addresses (`ulimit -v`). `None` if the system reports none of them.
pub fn limit() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kilobytes(&text, "MemTotal:"));
    [machine, limit_of_groups(), limit_of_addresses()].into_iter().flatten().min()
}

/// The least limit of this process's control group and the groups around it.
fn limit_of_groups() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folders = std::path::Path::new("/sys/fs/cgroup").join(own);
    let limit = |folder: &std::path::Path| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok();
    folders.ancestors().take_while(|folder| folder.starts_with("/sys/fs/cgroup")).filter_map(limit).min()
}

fn limit_of_addresses() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A number of bytes in words.
pub(crate) fn in_words(bytes: f64) -> String {
    match bytes {
        large if large >= 1e9 => format!("{:.1} GB", large / 1e9),
        other => format!("{:.1} MB", other / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_limited_and_told_in_words() {
        assert!(limit().is_some_and(|limit| limit > 1 << 20), "{:?}", limit());
        assert_eq!(kilobytes("MemFree: 9 kB\nMemTotal:    2048 kB\n", "MemTotal:"), Some(2048 * 1024));
        assert_eq!([8.04e10, 2.5e6].map(in_words), ["80.4 GB", "2.5 MB"]);
    }
}
