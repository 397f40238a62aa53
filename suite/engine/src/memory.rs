//! How this process deals with memory.

/// Keeps freed memory in the process for the next step, which needs as much again: glibc otherwise returns large blocks
/// to the system at once, and every step pays for fresh pages. Does nothing where the allocator is another one.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 1 << 30;
        // SAFETY: mallopt only sets parameters of the allocator, may be called at any time, and reports what it does not
        // know by its result, which does not matter here.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        }
    }
}
