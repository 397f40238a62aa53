//! How this process deals with memory.

/// Keeps freed memory in the process for the next step, which needs as much again: glibc otherwise returns large blocks
/// to the system at once, and every step pays for fresh pages. Does nothing where the allocator is another one.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // glibc before 2.35 takes no threshold above half a heap of its own; one that is refused would leave the limit
        // where it was and keep it from growing.
        const LARGE: [libc::c_int; 2] = [1 << 30, 32 << 20];
        // SAFETY: mallopt only sets parameters of the allocator, may be called at any time, and reports what it does not
        // know by the result 0.
        let set = |parameter, value| unsafe { libc::mallopt(parameter, value) } != 0;
        if LARGE.into_iter().any(|threshold| set(libc::M_MMAP_THRESHOLD, threshold)) {
            set(libc::M_TRIM_THRESHOLD, LARGE[0]);
        }
    }
}

/// Largest resident memory of this process so far, in bytes, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
