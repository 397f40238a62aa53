//! Settings and peak of this process's memory.

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

/// Memory of this machine, in bytes, if the system reports it.
pub fn total_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Peak resident memory of this process so far, in bytes, if the system reports it.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
