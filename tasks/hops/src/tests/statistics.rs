//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{configured, fixed, hops};
use haltbench_sdk::parameters::Value;

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (10..=32).collect();
    assert_recorded!("hops", statistics(&*hops(), &sizes));
    assert_recorded!("hops-fixed-last", statistics(&*fixed(4, "last"), &sizes));
    let equal = configured(&[("equal_length", Value::Flag(true))]).unwrap();
    assert_recorded!("hops-equal-length", statistics(&*equal, &sizes));
}
