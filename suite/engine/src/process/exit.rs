//! How a process ended, in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended, as the end of a sentence.
pub fn ended(exit: ExitStatus) -> String {
    match (exit.signal(), exit.code()) {
        (Some(signal), _) => format!("was killed by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "SIGILL, an illegal instruction",
        6 => "SIGABRT, it aborted or its stack overflowed",
        7 => "SIGBUS, a bad memory access",
        8 => "SIGFPE, an arithmetic fault",
        9 => "SIGKILL, by somebody or for want of memory",
        11 => "SIGSEGV, a bad memory access or a stack overflow",
        15 => "SIGTERM",
        25 => "SIGXFSZ, a file larger than the limit",
        31 => "SIGSYS, a forbidden system call",
        _ => "see `kill -l`",
    }
}
