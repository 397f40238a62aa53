//! A task that hangs while it is built or while it draws costs its cells alone, and Ctrl-C ends whatever waits for it.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::containment::library;
use crate::program::{Workspace, command, send, suite, until};

/// The tiny suite with a healthy task and one that hangs where [`STUCK`] says.
fn beside_a_healthy_task() -> Workspace {
    let healthy = suite(&["name = \"fixed\""]);
    Workspace::new(&healthy.replacen("[task]", "[[task]]\nname = \"stuck\"\n\n[[task]]", 1))
}

/// The variable that says where the task hangs, and the variable with the file that it makes before it does.
const STUCK: &str = "HALTBENCH_STUCK";
const SIGN: &str = "HALTBENCH_STUCK_SIGN";

#[test]
fn invariant_9_a_task_that_hangs_costs_its_cells_alone() {
    let alone = Workspace::new(&suite(&["name = \"fixed\""]));
    alone.run(&[]).well();
    let tried = "warning: stuck · anira · fixed · seed 0: a process that built it took longer than 2 s and was ended\n";
    let computed = ": the worker made no progress for 2 s and was ended (--step-timeout)";
    let audited = ": its result is refused: the audit took longer than 2 s (--step-timeout)";
    for (place, is_tried, cause) in [
        ("build", true, computed),
        ("draw", true, computed),
        ("build compute", false, computed),
        ("draw compute", false, computed),
        ("draw audit", false, audited),
    ] {
        let workspace = beside_a_healthy_task();
        let mut run = workspace.command("run");
        run.args(["--plugin", &library("haltbench_misbehaving_stuck_task"), "--step-timeout", "2", "--jobs", "1"]);
        let started = Instant::now();
        let output = run.env(STUCK, place).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(started.elapsed() < Duration::from_secs(40), "{place}: {:?}", started.elapsed());
        assert_eq!(output.status.code(), Some(1), "{place}: {said}");
        assert_eq!(said.contains(tried), is_tried, "{place}: {said}");
        for text in [cause, "1 of 2 cells done, 1 failed"] {
            assert!(said.contains(text), "{place}: lacks `{text}`: {said}");
        }
        assert!(workspace.processes().is_empty(), "{place}: a process is left");
        for folder in alone.cells().into_values().chain(alone.models().into_values()) {
            let result = folder.strip_prefix(alone.runs()).unwrap().join("result.json");
            let [found, expected] = [&workspace, &alone].map(|place| fs::read(place.runs().join(&result)).ok());
            assert!(found.is_some() && found == expected, "{place}: {}", result.display());
        }
    }
}

/// A suite begins although many of its cells hang while they are tried.
#[test]
fn a_rehearsal_of_many_plans_that_hang_ends() {
    let policies =
        ["name = \"fixed\"\ndepth = [1, 2, 3]", "name = \"anira-e\"", "name = \"anira-o\"\ngamma = [0.1, 0.2]"];
    let workspace = Workspace::new(&suite(&policies).replacen("[task]", "[[task]]\nname = \"stuck\"\n\n[[task]]", 1));
    let mut run = workspace.command("run");
    run.args(["--plugin", &library("haltbench_misbehaving_stuck_task"), "--step-timeout", "1"]);
    let said = String::from_utf8(run.env(STUCK, "build rehearse").output().unwrap().stderr).unwrap();
    assert_eq!(said.matches(": a process that built it took longer than 1 s and was ended").count(), 4, "{said}");
    let left = ": a process that built it was not started, because 4 plans before it took too long; 8 plans are left to their \
                workers";
    assert!(said.contains(left) && said.contains("12 of 12 cells done, 0 failed"), "{said}");
}

/// Starts `command` with a task that hangs at `place`, waits until it does, and sends SIGINT. Returns the exit status as
/// a shell gives it.
#[track_caller]
fn interrupted(place: &str, command: &mut Command) -> i32 {
    let folder = tempfile::tempdir().unwrap();
    let sign = folder.path().join("sign");
    command.args(["--plugin", &library("haltbench_misbehaving_stuck_task")]);
    command.env(STUCK, place).env(SIGN, &sign).process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    let Hanging(child) = &mut Hanging(command.spawn().unwrap());
    until("the task to hang", || sign.exists());
    assert!(child.try_wait().unwrap().is_none(), "{place}: it has ended");
    let started = Instant::now();
    send("INT", &child.id().to_string());
    until("its end", || child.try_wait().unwrap().is_some());
    assert!(started.elapsed() < Duration::from_millis(3500), "{place}: {:?}", started.elapsed());
    // Every process that it has started inherits the name of the sign.
    until("the end of its children", || processes_with(sign.to_str().unwrap()) == 0);
    let status = child.wait().unwrap();
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// A process that does not outlive its test.
struct Hanging(Child);

impl Drop for Hanging {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Number of processes with `text` in their environment.
fn processes_with(text: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("environ"));
    let environments = all.filter_map(|file| fs::read(file).ok());
    environments.filter(|bytes| String::from_utf8_lossy(bytes).contains(text)).count()
}

/// These commands run code of tasks in their own process, or wait for a process that does.
#[test]
fn whatever_waits_for_a_task_that_hangs_ends_within_three_seconds_of_a_signal() {
    let workspace = beside_a_healthy_task();
    let suite = workspace.suite();
    let with = |arguments: &[&str]| {
        let mut command = command();
        command.args(arguments).current_dir(suite.parent().unwrap());
        command
    };
    for (place, arguments) in [
        ("build rehearse", &["run", "suite.toml"][..]),
        ("draw rehearse", &["plan", "suite.toml"]),
        ("build plan", &["plan", "suite.toml"]),
        ("draw plan", &["plan", "suite.toml"]),
        ("draw compute", &["run", "suite.toml"]),
        ("draw submit", &["submit", "slurm", "suite.toml", "--dry-run"]),
        ("build explain", &["explain", "stuck"]),
        ("build data", &["data", "sample", "--task", "stuck"]),
        ("draw data", &["data", "sample", "--task", "stuck"]),
        ("draw bench", &["bench", "data", "--task", "stuck"]),
    ] {
        assert_eq!(interrupted(place, &mut with(arguments)), 130, "{place}: {arguments:?}");
    }
}

/// A command that writes what it has before it stops, and a library that hangs once more when its process ends.
#[test]
fn a_trace_of_a_task_that_hangs_ends_within_three_seconds_of_a_signal() {
    let workspace =
        Workspace::new(&suite(&["name = \"fixed\""]).replacen("name = \"mano-stream\"", "name = \"stuck\"", 1));
    let text = fs::read_to_string(workspace.suite()).unwrap();
    let of_mano =
        |line: &&str| !["modulus", "minimum_", "maximum_", "largest_"].iter().any(|name| line.starts_with(name));
    fs::write(workspace.suite(), text.lines().filter(of_mano).collect::<Vec<_>>().join("\n")).unwrap();
    workspace.run(&["--plugin", &library("haltbench_misbehaving_stuck_task")]).well();
    let cell = workspace.cell("fixed 0");
    let mut trace = command();
    trace.args(["trace", cell.file_name().unwrap().to_str().unwrap(), "--out", "out.safetensors", "--runs"]);
    trace.arg(workspace.runs()).current_dir(cell);
    trace.args(["--plugin", &library("haltbench_misbehaving_constructor")]);
    trace.env("HALTBENCH_CONSTRUCTOR", "hang-at-the-end");
    assert_eq!(interrupted("draw trace", &mut trace), 130);
}
