//! Measures of one cell from one sum for each sequence.

use haltbench_analysis::means::mean_estimate;
use haltbench_analysis::{Bootstrap, ClusterSum, Design, Population, Split};

use crate::store::MetricRow;

/// A mean over sequences of one split, whose lasting names are `identities`, with its interval.
pub(crate) fn row(metric: &str, split: Split, identities: &[u64], sums: Vec<ClusterSum>) -> MetricRow {
    let design = Design::of(&[identities.to_vec()]);
    let estimate = mean_estimate(&[sums], &design, Bootstrap::default());
    MetricRow::new(metric, Some(split), Population::All, &estimate)
}
