//! Process groups: a child and all its descendants that do not leave it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

/// What happens to a child when its parent dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentDeath {
    /// It gets SIGTERM: it writes a checkpoint and ends.
    Terminate,
    /// It gets SIGKILL.
    Kill,
}

/// Lets `command` start as the leader of a new process group, and die with its parent.
pub fn own_group(command: &mut Command, death: ParentDeath) {
    command.process_group(0);
    let signal = match death {
        ParentDeath::Terminate => libc::SIGTERM,
        ParentDeath::Kill => libc::SIGKILL,
    };
    let parent = std::process::id();
    let die_with_parent = move || {
        // SAFETY: `prctl` with this option takes a signal number; both calls are async-signal-safe.
        let is_orphan = unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong);
            libc::getppid() as u32 != parent
        };
        // The parent died before the signal was set.
        if is_orphan { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    };
    // SAFETY: the closure runs between fork and exec, makes only async-signal-safe calls and allocates nothing.
    unsafe { command.pre_exec(die_with_parent) };
}

/// Ends the process group that this process leads, and so this process.
pub fn end_own_group() -> ! {
    // SAFETY: `kill` and `getpgrp` take no pointers. A process that leads no group of its own ends alone.
    unsafe {
        if libc::getpgrp() == libc::getpid() {
            libc::kill(0, libc::SIGKILL);
        }
        libc::_exit(128 + libc::SIGTERM)
    }
}

/// A process group whose leader is a child of this process.
pub struct Group {
    leader: libc::pid_t,
    /// As long as the leader has not been reaped, no other process or group can get its number.
    is_reaped: Mutex<bool>,
}

impl Group {
    /// The group that the child `leader` leads.
    pub fn of(leader: u32) -> Self {
        Self { leader: leader as libc::pid_t, is_reaped: Mutex::new(false) }
    }

    /// Waits until the leader has ended, without reaping it.
    pub fn wait_for_leader(&self) {
        loop {
            // SAFETY: zeroes are a valid `siginfo_t`, which `waitid` overwrites.
            let outcome = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                libc::waitid(libc::P_PID, self.leader as libc::id_t, &raw mut info, libc::WEXITED | libc::WNOWAIT)
            };
            if outcome == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return;
            }
        }
    }

    /// Sends SIGKILL to every process of the group.
    pub fn kill(&self) {
        self.send(-self.leader, libc::SIGKILL);
    }

    /// Sends SIGTERM to the leader.
    pub fn terminate_leader(&self) {
        self.send(self.leader, libc::SIGTERM);
    }

    fn send(&self, target: libc::pid_t, signal: libc::c_int) {
        let is_reaped = self.is_reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_reaped {
            // SAFETY: `kill` takes no pointers, and the leader's number still belongs to it.
            unsafe { libc::kill(target, signal) };
        }
    }

    /// Reaps the leader, which has ended.
    pub fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut is_reaped = self.is_reaped.lock().unwrap_or_else(PoisonError::into_inner);
        *is_reaped = true;
        child.wait()
    }
}
