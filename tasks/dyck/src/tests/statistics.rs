//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{dyck, equally_long, walk};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (12..=32).collect();
    assert_recorded!("dyck", statistics(&*dyck(), &sizes));
    assert_recorded!("dyck-kinds-walk", statistics(&*walk(4, 3), &sizes));
    assert_recorded!("dyck-equal-length", statistics(&*equally_long(1), &sizes));
}
