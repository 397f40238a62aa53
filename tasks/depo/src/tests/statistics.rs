//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{depo, released};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (3..=30).collect();
    assert_recorded!("depo", statistics(&*depo(), &sizes));
    assert_recorded!("depo-spelled", statistics(&*released(3, [5, 7], 30, 16), &sizes));
}
