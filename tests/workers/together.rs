//! Workers without shares: each takes what no other works on.

use crate::program::{POLICIES, Workspace, assert_same, suite, until};
use crate::worker::Worker;

/// The tiny suite with two seeds, so that there is work for several.
pub fn wide() -> String {
    suite(POLICIES).replace("seeds = [0]", "seeds = [0, 1]")
}

#[test]
fn three_workers_end_with_the_bytes_of_one_run() {
    let whole = Workspace::new(&wide());
    whole.run(&[]).well();
    let workspace = Workspace::new(&wide());
    let workers = [(); 3].map(|()| Worker::start(&workspace, &[]));
    let said = workers.map(Worker::well);
    assert_same(&workspace.files(), &whole.files());
    let trained = |said: &String| -> usize {
        assert!(said.contains("8 of 8 cells done, 0 failed"), "{said}");
        let count = said.lines().last().and_then(|line| line.split("; ").nth(1)?.split(' ').next()?.parse().ok());
        count.unwrap_or_else(|| panic!("{said}"))
    };
    assert_eq!(said.iter().map(trained).sum::<usize>(), 6, "each model was trained once: {said:?}");
}

/// SIGTERM, as a cluster sends it, stops a worker with a checkpoint; another worker continues.
#[test]
fn a_stopped_worker_says_so_and_another_continues() {
    let long = &["--set", "training.steps=300"];
    let whole = Workspace::new(&suite(&POLICIES[..1]));
    whole.run(long).well();
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let worker = Worker::start(&workspace, long);
    until("a checkpoint", || workspace.is_resumable("fixed 0"));
    worker.signal("TERM");
    let (status, said) = worker.wait();
    assert_eq!(status.code(), Some(143), "{said}");
    assert!(workspace.processes().is_empty());
    assert!(workspace.is_resumable("fixed 0"), "{said}");
    Worker::start(&workspace, long).well();
    assert_same(&workspace.files(), &whole.files());
}

/// A job array starts its tasks at the same moment. Here, none has anything to do.
#[test]
fn workers_that_start_at_once_do_not_disturb_each_other() {
    for _ in 0..4 {
        let workspace = Workspace::new(&suite(&POLICIES[..1]));
        let workers = [(); 8].map(|()| Worker::start(&workspace, &["--shard", "2/2"]));
        workers.into_iter().for_each(|worker| drop(worker.well()));
    }
}
