//! Recorded statistics of 10,000 instances: a generator that changed shows here.

use haltbench_sdk::assert_statistics;

use super::{canonical, released, spelled};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (3..=30).collect();
    assert_statistics!("brevo", &*canonical(), &sizes);
    assert_statistics!("brevo-released", &*released(30), &sizes);
    assert_statistics!("brevo-spelled", &*spelled("any"), &sizes);
}
