//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{addition, equally_long};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=8).collect();
    assert_recorded!("addition", statistics(&*addition("most", true), &sizes));
    assert_recorded!("addition-least-first", statistics(&*addition("least", false), &sizes));
    assert_recorded!("addition-equal-length", statistics(&*equally_long("most"), &sizes));
}
