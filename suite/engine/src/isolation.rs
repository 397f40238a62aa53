//! Isolation of a process that runs plugins: a private view of the file system, no network, limits on memory and files.
//!
//! A process isolates itself before it opens any plugin and before it starts a thread; its threads and children inherit
//! everything, and nothing can be undone. What the system does not offer is left out and reported. Programs that need
//! more, such as a hostile kernel exploit, are beyond this: use a virtual machine.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};

/// Folders of the system that every process may read. A system lacks some of them.
const SYSTEM: [&str; 8] = ["/usr", "/lib", "/lib64", "/etc", "/proc", "/dev", "/sys", "/run"];

/// The largest file that an isolated process may write, in bytes.
const LARGEST_FILE: u64 = 64 << 30;

/// The most files that it may have open.
const OPEN_FILES: u64 = 4096;

/// What an isolated process may do.
#[derive(Debug, Clone, Default)]
pub struct Isolation {
    /// Folders and files that it may read; it may always read system folders.
    pub readable: Vec<PathBuf>,
    /// Folders that it may change.
    pub writable: Vec<PathBuf>,
    /// The most memory that it may address, in bytes; an accelerator needs more addresses than there is memory.
    pub memory: Option<u64>,
}

impl Isolation {
    /// Isolates this process, which must have no other thread. Returns what the system does not offer, in sentences.
    pub fn enter(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut note = |what: &str, outcome: io::Result<()>| {
            if let Err(error) = outcome {
                missing.push(format!("{what}: {error}"));
            }
        };
        note("no limit on memory", self.memory.map_or(Ok(()), |bytes| limit(libc::RLIMIT_AS, bytes)));
        note("no limit on the size of files", limit(libc::RLIMIT_FSIZE, LARGEST_FILE));
        note("no limit on the number of open files", limit(libc::RLIMIT_NOFILE, OPEN_FILES));
        note("no core dumps", limit(libc::RLIMIT_CORE, 0));
        // Files before the network, so that the maps of the new namespace can still be written.
        note("the network is open", leave_network());
        note("the file system is open", self.confine());
        missing
    }

    /// Confines this process to its files.
    fn confine(&self) -> io::Result<()> {
        let abi = ABI::V6;
        let (read, all) = (AccessFs::from_read(abi), AccessFs::from_all(abi));
        let readable = SYSTEM.iter().map(Path::new).chain(self.readable.iter().map(PathBuf::as_path));
        let devices = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/shm"].map(Path::new);
        let writable = self.writable.iter().map(PathBuf::as_path).chain(devices);
        let restricted = || {
            Ruleset::default()
                .set_compatibility(CompatLevel::BestEffort)
                .handle_access(all)?
                .scope(Scope::Signal | Scope::AbstractUnixSocket)?
                .create()?
                .add_rules(path_beneath_rules(readable, read))?
                .add_rules(path_beneath_rules(writable, all))?
                .restrict_self()
        };
        match restricted().map_err(|error: landlock::RulesetError| io::Error::other(error.to_string()))?.ruleset {
            RulesetStatus::NotEnforced => Err(io::Error::other("the kernel has no Landlock")),
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        }
    }
}

/// Moves this process into a network without devices.
fn leave_network() -> io::Result<()> {
    // SAFETY: both calls take no pointers.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: `unshare` takes flags alone. This process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWIPC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The same user and group in the new namespace. Without these maps files still belong to the same user, under
    // another number, so a failure does no harm.
    let _ = std::fs::write("/proc/self/setgroups", "deny");
    let _ = std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"));
    let _ = std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"));
    Ok(())
}

/// Lowers a limit of this process.
fn limit(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a value that lives during the call.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_max = limit.rlim_max.min(most);
    limit.rlim_cur = limit.rlim_cur.min(limit.rlim_max);
    // SAFETY: as above.
    match unsafe { libc::setrlimit(resource, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
