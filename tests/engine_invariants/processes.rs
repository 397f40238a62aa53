//! Tests in separate processes, with the requested number of threads for tensors.

use std::process::Command;
use std::thread;

use haltbench_sdk::candle_core::utils::get_num_threads;

/// Runs `check`, the whole body of the calling test, in a process with one thread for tensor operations: the tensors
/// are so small that several threads would mostly wake each other.
pub fn in_one_thread(check: impl FnOnce()) {
    match thread::current().name() {
        Some(test) if get_num_threads() > 1 && test.contains("::") => {
            rerun(test, 1, &[]);
        }
        _ => check(),
    }
}

/// Runs only the test called `test` in a process with `threads` threads and returns its output.
///
/// # Panics
/// If the test fails there.
#[track_caller]
pub fn rerun(test: &str, threads: usize, variables: &[(&str, String)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("RAYON_NUM_THREADS", threads.to_string())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in a process with {threads} threads:\n{printed}{complaints}");
    assert!(printed.contains("1 passed"), "{test} did not run:\n{printed}");
    printed
}
