//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{copies, copy, number, unique_set, unique_sets};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=32).collect();
    assert_recorded!("copy", statistics(&*copy(), &sizes));
    assert_recorded!("copy-window", statistics(&*copies(&[number("window", 64)]), &sizes));
    assert_recorded!("unique-set", statistics(&*unique_set(), &sizes));
    assert_recorded!("unique-set-window", statistics(&*unique_sets(&[number("window", 64)]), &sizes));
}
