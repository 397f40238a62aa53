//! Recorded statistics of 10,000 instances: a generator that changed shows here.

use haltbench_sdk::assert_statistics;

use super::{mano, stream};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=16).collect();
    assert_statistics!("mano", &*mano(), &sizes);
    assert_statistics!("mano-stream", &*stream(), &sizes);
}
