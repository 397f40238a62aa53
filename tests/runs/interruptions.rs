//! A run that is stopped or killed, whenever it may be, goes on to the result that it would have had.

use std::time::Instant;
use std::{fs, thread};

use haltbench_sdk::random::Stream;

use crate::program::{Bench, POLICIES, assert_same, json, send, suite, until};

/// Training that lasts long enough to be met in the middle, and leaves a checkpoint soon.
const LONG: &[&str] = &["--set", "training.steps=300"];

/// A finished run of the long cells, and an empty folder for the same suite.
fn long(policies: &[&str]) -> (Bench, Bench) {
    let whole = Bench::new(&suite(policies));
    whole.run(LONG).well();
    (whole, Bench::new(&suite(policies)))
}

#[test]
fn invariant_8_a_run_killed_at_any_moment_ends_with_the_same_bytes() {
    const KILLS: usize = 12;
    let policies = [POLICIES[0], POLICIES[1], POLICIES[3]];
    let whole = Bench::new(&suite(&policies));
    let started = Instant::now();
    whole.run(&[]).well();
    let length = started.elapsed();
    let expected = whole.files();

    let mut bench = Bench::new(&suite(&policies));
    let mut moments = Stream::new(8, "moments", &[]);
    let (mut kills, mut resumable) = (0, 0);
    for _ in 0..100 {
        if kills == KILLS {
            break;
        }
        let mut run = bench.start(&[]);
        let is_resumable = || bench.is_resumable("fixed 0") || bench.is_resumable("anira-e 0");
        // On a busy machine a moment in a run rarely falls between a checkpoint and the end of training: some are sought.
        match kills % 3 {
            0 => until("a checkpoint or the end of the run", || is_resumable() || run.ended().is_some()),
            _ => thread::sleep(length.mul_f64(0.7 * moments.uniform())),
        }
        // Its workers die with it, or are left behind and must notice.
        match moments.below(2) {
            0 => run.signal_group("KILL"),
            _ => run.signal("KILL"),
        }
        // A run that was over before is compared; the next one begins anew.
        let status = run.wait();
        if status.success() {
            assert_same(&bench.files(), &expected);
            bench = Bench::new(&suite(&policies));
            continue;
        }
        assert_eq!(status.code(), None, "it failed before it was killed: {}", bench.said());
        kills += 1;
        resumable += usize::from(is_resumable());
    }
    assert_eq!(kills, KILLS);
    assert!(resumable > 0, "no kill left a checkpoint to resume from");
    bench.run(&[]).well();
    assert_same(&bench.files(), &expected);
}

#[test]
fn invariant_8_workers_stop_by_themselves_when_their_run_is_killed() {
    let (whole, bench) = long(&POLICIES[..1]);
    let run = bench.start(LONG);
    until("a checkpoint", || bench.is_resumable("fixed 0"));
    assert_eq!(bench.processes().len(), 2, "a run and its worker");
    run.signal("KILL");
    assert!(!run.wait().success());
    until("the end of the worker", || bench.processes().is_empty());
    assert_eq!(bench.state("fixed 0"), ("pending".to_owned(), String::new()));
    assert!(bench.is_resumable("fixed 0"), "the worker was not stopped before its end");
    bench.run(LONG).well();
    assert_same(&bench.files(), &whole.files());
}

#[test]
fn invariant_8_a_signal_stops_a_run_with_a_checkpoint() {
    let (whole, mut bench) = long(&POLICIES[..1]);
    let expected = whole.files();
    for (signal, number, group) in [("INT", 2, false), ("TERM", 15, false), ("INT", 2, true)] {
        let mut run = bench.start(LONG);
        until("a checkpoint", || bench.is_resumable("fixed 0"));
        match group {
            true => run.signal_group(signal),
            false => run.signal(signal),
        }
        until("the end of the run", || run.ended().is_some());
        assert_eq!(run.wait().code(), Some(128 + number), "SIG{signal}: {}", bench.said());
        assert!(bench.processes().is_empty());
        for text in [
            "stopped  model mano-stream · anira · fixed · seed 0 (can be resumed)",
            "0 of 1 cells done, 0 failed",
            &format!("stopped by signal {number}; run the same command to continue"),
        ] {
            assert!(bench.said().contains(text), "lacks `{text}`: {}", bench.said());
        }
        assert_eq!(bench.state("fixed 0"), ("pending".to_owned(), String::new()));
        assert!(bench.is_resumable("fixed 0"));
        let spent =
            |bench: &Bench| json(&bench.model("fixed 0").join("timings.json"))["training_seconds"].as_f64().unwrap();
        let before = spent(&bench);
        bench.run(LONG).well();
        assert_same(&bench.files(), &expected);
        assert!(before > 0.0 && spent(&bench) > before, "the time before the stop is lost");
        bench = Bench::new(&suite(&POLICIES[..1]));
    }
}

/// The worker of a cell's model, once it has written a checkpoint.
fn worker(bench: &Bench, title: &str) -> String {
    until("a checkpoint", || bench.is_resumable(title));
    let id = bench.model(title).file_name().unwrap().to_str().unwrap().to_owned();
    let line = |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let workers: Vec<u32> = bench.processes().into_iter().filter(|process| line(process).contains(&id)).collect();
    assert_eq!(workers.len(), 1, "workers of {title}");
    workers[0].to_string()
}

#[test]
fn invariant_9_a_killed_worker_costs_its_cell_only_in_that_run() {
    let (whole, bench) = long(&POLICIES[..2]);
    let mut run = bench.start(LONG);
    send("KILL", &worker(&bench, "anira-e 0"));
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(1), "{}", bench.said());
    assert!(bench.said().contains("1 of 2 cells done, 1 failed"), "{}", bench.said());
    let (state, cause) = bench.state("anira-e 0");
    assert_eq!(state, "failed");
    assert!(cause.contains("signal 9 (SIGKILL"), "{cause}");
    assert!(bench.said().contains(&cause), "{}", bench.said());
    assert_eq!(bench.state("fixed 0").0, "done");
    bench.run(LONG).well().says(&["done already  mano-stream · anira · fixed"]);
    assert_same(&bench.files(), &whole.files());
}

#[test]
fn invariant_9_a_run_whose_worker_was_told_to_stop_is_not_a_success() {
    let (whole, bench) = long(&POLICIES[..1]);
    let mut run = bench.start(LONG);
    send("TERM", &worker(&bench, "fixed 0"));
    until("the end of the run", || run.ended().is_some());
    assert_eq!(run.wait().code(), Some(1), "{}", bench.said());
    for state in [bench.state("fixed 0"), bench.model_state("fixed 0")] {
        assert_eq!(state, ("pending".to_owned(), String::new()));
    }
    bench.run(LONG).well();
    assert_same(&bench.files(), &whole.files());
}

#[test]
fn invariant_8_two_runs_at_once_do_not_disturb_each_other() {
    let (whole, bench) = long(&POLICIES[..1]);
    let mut first = bench.start(LONG);
    until("a checkpoint", || bench.is_resumable("fixed 0"));
    let second = bench.run(LONG).well();
    until("the end of the first run", || first.ended().is_some());
    assert_eq!(first.wait().code(), Some(0), "{}", bench.said());
    for said in [bench.said(), second.stderr] {
        assert!(said.contains("1 of 1 cells done, 0 failed"), "{said}");
    }
    assert_same(&bench.files(), &whole.files());
}
