//! Output of `haltbench replay`.

use std::path::Path;

use serde_json::Value;

use crate::program::{Outcome, command};

/// `haltbench ARGUMENTS`
pub fn haltbench(arguments: &[&str]) -> Outcome {
    let output = command().args(arguments).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!stderr.contains("panicked"), "a panic reached the user: {stderr}");
    Outcome { status: output.status.code().unwrap(), stdout, stderr }
}

/// The lines of a replay, which must succeed.
#[track_caller]
pub fn replay(file: &Path, policy: &str, more: &[&str]) -> Vec<Value> {
    let arguments = [&["replay", file.to_str().unwrap(), "--policy", policy], more].concat();
    let outcome = haltbench(&arguments).well();
    assert_eq!(outcome.stderr, "");
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["simulated"] == Value::Bool(true)));
    lines
}

/// The depths of a replay's lines.
pub fn depths(lines: &[Value]) -> Vec<u32> {
    lines.iter().map(|line| line["depth"].as_u64().unwrap() as u32).collect()
}
