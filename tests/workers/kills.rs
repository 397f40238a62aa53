//! Workers that are killed at any moment.

use std::time::{Duration, Instant};
use std::{fs, thread};

use haltbench_sdk::random::Stream;

use crate::program::{POLICIES, Workspace, assert_same, suite};
use crate::worker::Worker;

/// Kills in all.
const KILLS: usize = 10;

#[test]
fn workers_killed_at_any_moment_end_with_the_bytes_of_one_run() {
    let text = suite(&[POLICIES[0], POLICIES[1], POLICIES[3]]);
    let whole = Workspace::new(&text);
    let started = Instant::now();
    whole.run(&[]).well();
    let length = started.elapsed();
    let expected = whole.files();
    let mut moments = Stream::new(21, "moments", &[]);
    let mut kills = 0;
    while kills < KILLS {
        let workspace = Workspace::new(&text);
        let mut workers = [(); 2].map(|()| Worker::start(&workspace, &[]));
        // A worker that ends well ends this round: everything is done.
        while kills < KILLS && !workers.iter_mut().any(|worker| worker.ended().is_some()) {
            thread::sleep(length.mul_f64(0.7 * moments.uniform()));
            let victim = &mut workers[moments.below(2) as usize];
            if victim.ended().is_none() {
                victim.signal("KILL");
                kills += 1;
                // Sometimes its place stays empty for a while, and the other takes over.
                thread::sleep(Duration::from_millis(200 * moments.below(2)));
                *victim = Worker::start(&workspace, &[]);
            }
        }
        workers.into_iter().for_each(|worker| drop(worker.well()));
        assert_same(&workspace.files(), &expected);
    }
}

/// A run that is killed after it has written a result, and before it has let go of the folder.
#[test]
fn nothing_is_left_of_a_run_that_was_killed_beside_a_result() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let cell = workspace.cell("fixed 0");
    fs::write(cell.join("status.json"), "{\"state\":\"running\"}\n").unwrap();
    fs::write(cell.join("claim.json"), "{\"owner\":\"dead\",\"boot\":\"gone\",\"process\":1,\"renewals\":0}").unwrap();
    fs::create_dir(cell.join("work-dead")).unwrap();
    fs::write(cell.join("work-dead/tokens.parquet"), "half").unwrap();
    Worker::start(&workspace, &[]).well();
    assert_same(&workspace.files(), &expected);
}
