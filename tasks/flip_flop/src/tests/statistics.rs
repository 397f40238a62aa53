//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::flip_flop;

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (1..=31).collect();
    assert_recorded!("flip-flop", statistics(&*flip_flop(), &sizes));
}
