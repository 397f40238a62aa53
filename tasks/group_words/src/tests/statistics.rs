//! Recorded statistics of 10,000 instances, which show changes of the generator.

use haltbench_sdk::assert_recorded;
use haltbench_sdk::conformance::specimen::statistics;

use super::{padded_words_of, words_of};

#[test]
fn statistics_are_as_recorded() {
    let sizes: Vec<u32> = (2..=16).collect();
    assert_recorded!("group-words", statistics(&*words_of("a5"), &sizes));
    assert_recorded!("group-words-padded", statistics(&*padded_words_of("s5"), &sizes));
}
