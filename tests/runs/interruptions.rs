//! A run that is stopped or killed at any time continues to the same result.

use std::time::Instant;
use std::{fs, thread};

use haltbench_sdk::random::Stream;

use crate::program::{POLICIES, Workspace, assert_same, json, send, suite, until};

/// Training that takes long enough to be interrupted in the middle, and writes a checkpoint soon.
const LONG: &[&str] = &["--set", "training.steps=300"];

/// A finished run of the long cells, and an empty folder for the same suite.
fn long(policies: &[&str]) -> (Workspace, Workspace) {
    let whole = Workspace::new(&suite(policies));
    whole.run(LONG).well();
    (whole, Workspace::new(&suite(policies)))
}

#[test]
fn invariant_8_a_run_killed_at_any_moment_ends_with_the_same_bytes() {
    const KILLS: usize = 12;
    let policies = [POLICIES[0], POLICIES[1], POLICIES[3]];
    let whole = Workspace::new(&suite(&policies));
    let started = Instant::now();
    whole.run(&[]).well();
    let length = started.elapsed();
    let expected = whole.files();

    let mut workspace = Workspace::new(&suite(&policies));
    let mut moments = Stream::new(8, "moments", &[]);
    let (mut kills, mut resumable) = (0, 0);
    for _ in 0..100 {
        if kills == KILLS {
            break;
        }
        let mut run = workspace.start(&[]);
        let is_resumable = || workspace.is_resumable("fixed 0") || workspace.is_resumable("anira-e 0");
        // On a busy machine, random moments rarely fall between a checkpoint and the end of training, so some kills
        // wait for one.
        match kills % 3 {
            0 => until("a checkpoint or the end of the run", || is_resumable() || run.ended().is_some()),
            _ => thread::sleep(length.mul_f64(0.7 * moments.uniform())),
        }
        // Its workers die with it, or are left behind and must notice.
        match moments.below(2) {
            0 => run.signal_group("KILL"),
            _ => run.signal("KILL"),
        }
        // A run that finished first is compared; the next one starts from nothing.
        let status = run.wait();
        if status.success() {
            assert_same(&workspace.files(), &expected);
            workspace = Workspace::new(&suite(&policies));
            continue;
        }
        assert_eq!(status.code(), None, "it failed before it was killed: {}", workspace.said());
        kills += 1;
        resumable += usize::from(is_resumable());
    }
    assert_eq!(kills, KILLS);
    assert!(resumable > 0, "no kill left a checkpoint to resume from");
    workspace.run(&[]).well();
    assert_same(&workspace.files(), &expected);
}

#[test]
fn invariant_8_workers_stop_by_themselves_when_their_run_is_killed() {
    let (whole, workspace) = long(&POLICIES[..1]);
    let run = workspace.start(LONG);
    until("a checkpoint", || workspace.is_resumable("fixed 0"));
    assert_eq!(workspace.processes().len(), 2, "a run and its worker");
    run.signal("KILL");
    assert!(!run.wait().success());
    until("the end of the worker", || workspace.processes().is_empty());
    // The run had no time to record anything else.
    assert_eq!(workspace.model_state("fixed 0"), ("running".to_owned(), String::new()));
    assert!(workspace.is_resumable("fixed 0"), "the worker was not stopped before its end");
    workspace.run(LONG).well();
    assert_same(&workspace.files(), &whole.files());
}

#[test]
fn invariant_8_a_signal_stops_a_run_with_a_checkpoint() {
    let (whole, mut workspace) = long(&POLICIES[..1]);
    let expected = whole.files();
    for (signal, number, group) in [("INT", 2, false), ("TERM", 15, false), ("INT", 2, true)] {
        let mut run = workspace.start(LONG);
        until("a checkpoint", || workspace.is_resumable("fixed 0"));
        match group {
            true => run.signal_group(signal),
            false => run.signal(signal),
        }
        until("the end of the run", || run.ended().is_some());
        assert_eq!(run.wait().code(), Some(128 + number), "SIG{signal}: {}", workspace.said());
        assert!(workspace.processes().is_empty());
        for text in [
            "stopped  model mano-stream · anira · fixed · seed 0 (can be resumed)",
            "0 of 1 cells done, 0 failed",
            &format!("stopped by signal {number}; run the same command to continue"),
        ] {
            assert!(workspace.said().contains(text), "lacks `{text}`: {}", workspace.said());
        }
        assert_eq!(workspace.state("fixed 0"), ("pending".to_owned(), String::new()));
        assert!(workspace.is_resumable("fixed 0"));
        let spent = |workspace: &Workspace| {
            json(&workspace.model("fixed 0").join("timings.json"))["training_seconds"].as_f64().unwrap()
        };
        let before = json(&workspace.work("fixed 0").join("timings.json"))["training_seconds"].as_f64().unwrap();
        workspace.run(LONG).well();
        assert_same(&workspace.files(), &expected);
        assert!(before > 0.0 && spent(&workspace) > before, "the time before the stop is lost");
        workspace = Workspace::new(&suite(&POLICIES[..1]));
    }
}

/// The worker of a cell's model, once it has written a checkpoint.
fn worker(workspace: &Workspace, title: &str) -> String {
    until("a checkpoint", || workspace.is_resumable(title));
    let id = workspace.model(title).file_name().unwrap().to_str().unwrap().to_owned();
    let line = |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let workers: Vec<u32> = workspace.processes().into_iter().filter(|process| line(process).contains(&id)).collect();
    assert_eq!(workers.len(), 1, "workers of {title}");
    workers[0].to_string()
}

#[test]
fn invariant_9_a_killed_worker_costs_its_cell_only_in_that_run() {
    let (whole, workspace) = long(&POLICIES[..2]);
    let mut run = workspace.start(LONG);
    send("KILL", &worker(&workspace, "anira-e 0"));
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(1), "{}", workspace.said());
    assert!(workspace.said().contains("1 of 2 cells done, 1 failed"), "{}", workspace.said());
    let (state, cause) = workspace.state("anira-e 0");
    assert_eq!(state, "failed");
    assert!(cause.contains("signal 9 (SIGKILL"), "{cause}");
    assert!(workspace.said().contains(&cause), "{}", workspace.said());
    assert_eq!(workspace.state("fixed 0").0, "done");
    workspace.run(LONG).well().says(&["done already  mano-stream · anira · fixed"]);
    assert_same(&workspace.files(), &whole.files());
}

#[test]
fn invariant_9_a_run_whose_worker_was_told_to_stop_is_not_a_success() {
    let (whole, workspace) = long(&POLICIES[..1]);
    let mut run = workspace.start(LONG);
    send("TERM", &worker(&workspace, "fixed 0"));
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(1), "{}", workspace.said());
    for state in [workspace.state("fixed 0"), workspace.model_state("fixed 0")] {
        assert_eq!(state, ("pending".to_owned(), String::new()));
    }
    workspace.run(LONG).well();
    assert_same(&workspace.files(), &whole.files());
}

#[test]
fn invariant_8_two_runs_at_once_do_not_disturb_each_other() {
    let (whole, workspace) = long(&POLICIES[..1]);
    let mut first = workspace.start(LONG);
    until("a checkpoint", || workspace.is_resumable("fixed 0"));
    let second = workspace.run(LONG).well();
    until("the end of the first run", || first.ended().is_some());
    assert_eq!(first.wait().code(), Some(0), "{}", workspace.said());
    for said in [workspace.said(), second.stderr] {
        assert!(said.contains("1 of 1 cells done, 0 failed"), "{said}");
    }
    assert_same(&workspace.files(), &whole.files());
}
