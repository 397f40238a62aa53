//! `haltbench submit local`: workers of this machine, started together.

use std::fs;
use std::process::Stdio;

use crate::program::{POLICIES, Workspace, assert_same, command, send, suite, until};
use crate::together::wide;

fn submit(workspace: &Workspace, arguments: &[&str]) -> std::process::Command {
    let mut command = command();
    command.args(["submit", "local"]).arg(workspace.suite()).arg("--runs").arg(workspace.runs()).args(arguments);
    command
}

#[test]
fn local_workers_end_with_the_bytes_of_one_run() {
    let whole = Workspace::new(&wide());
    whole.run(&[]).well();
    let workspace = Workspace::new(&wide());
    let output = submit(&workspace, &["--tasks", "3", "--cores", "1"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{said}");
    assert_same(&workspace.files(), &whole.files());
    for number in 1..=3 {
        let log = fs::read_to_string(workspace.runs().join(format!("tiny/local/worker-{number}.txt"))).unwrap();
        assert!(log.contains("8 of 8 cells done, 0 failed"), "{log}");
    }
}

#[test]
fn a_signal_stops_all_local_workers_and_they_continue() {
    let steps = ["--set", "training.steps=3000", "--set", "training.checkpoint_every=100"];
    let long = &[&steps[..], &["--tasks", "2", "--cores", "1"]].concat();
    let whole = Workspace::new(&suite(&POLICIES[..2]));
    whole.run(&steps).well();
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    let started = || {
        let log = |number: &str| fs::read_to_string(workspace.runs().join(format!("tiny/local/worker-{number}.txt")));
        ["1", "2"].map(|number| log(number).unwrap_or_default().matches("started  model").count())
    };
    for (signal, status) in [("TERM", 143), ("INT", 130)] {
        let before = started();
        let mut child = submit(&workspace, long).stderr(Stdio::null()).spawn().unwrap();
        until("both workers", || (0..2).all(|worker| started()[worker] > before[worker]));
        send(signal, &child.id().to_string());
        until("the end", || child.try_wait().unwrap().is_some());
        assert_eq!(child.wait().unwrap().code(), Some(status), "SIG{signal}");
        until("the end of all", || workspace.processes().is_empty());
    }
    assert!(submit(&workspace, long).stderr(Stdio::null()).status().unwrap().success());
    assert_same(&workspace.files(), &whole.files());
}

/// The status is that of a wrong suite or plugin rather than that of failed cells.
#[test]
fn failed_cells_and_wrong_suites_are_told_by_the_status() {
    let workspace = Workspace::new(&suite(&["name = \"fixd\""]));
    let output = submit(&workspace, &[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("did you mean `fixed`?"), "{said}");
    assert!(!workspace.runs().exists());
}
