//! Workers that are killed at any moment.

use std::thread;
use std::time::{Duration, Instant};

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
        workers.map(Worker::well);
        assert_same(&workspace.files(), &expected);
    }
}
