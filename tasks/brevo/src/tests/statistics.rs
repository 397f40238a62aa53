//! Recorded statistics of 10,000 instances: a generator that changed shows here.

use std::path::Path;

use haltbench_sdk::conformance::specimen::statistics;
use haltbench_sdk::task::{Instance, Task};

use super::{canonical, draw, released, spelled};

const COUNT: u64 = 10_000;

fn record(name: &str, task: &dyn Task, sizes: &[u32]) {
    let instances: Vec<Instance> =
        (0..COUNT).map(|seed| draw(task, sizes[seed as usize % sizes.len()], seed)).collect();
    let text = statistics(task, &instances);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../snapshots/tasks"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (3..=30).collect();
    record("brevo", &*canonical(), &sizes);
    record("brevo-released", &*released(30), &sizes);
    record("brevo-spelled", &*spelled("any"), &sizes);
}
