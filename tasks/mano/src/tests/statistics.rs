//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{mano, stream};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=16).collect();
    assert_recorded!("mano", statistics(&*mano(), &sizes));
    assert_recorded!("mano-stream", statistics(&*stream(), &sizes));
}
