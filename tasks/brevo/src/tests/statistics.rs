//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{canonical, released, spelled};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (3..=30).collect();
    assert_recorded!("brevo", statistics(&*canonical(), &sizes));
    assert_recorded!("brevo-released", statistics(&*released(30), &sizes));
    assert_recorded!("brevo-spelled", statistics(&*spelled("any"), &sizes));
}
