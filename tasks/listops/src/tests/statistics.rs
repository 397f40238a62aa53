//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{by_height, listops, stream};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=8).collect();
    assert_recorded!("listops", statistics(&*listops(), &sizes));
    assert_recorded!("listops-height", statistics(&*by_height(), &sizes));
    assert_recorded!("listops-stream", statistics(&*stream(), &sizes));
}
