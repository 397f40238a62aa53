//! Measures of one cell from one sum for each sequence.

use haltbench_analysis::{ClusterSum, Crossed, Estimate, Population, Split};

use crate::store::MetricRow;

/// A mean over sequences of one split, whose lasting names are `identities`, with its interval.
pub(crate) fn row(metric: &str, split: Split, identities: &[u64], sums: Vec<ClusterSum>) -> MetricRow {
    // Units ascend, whatever the order of the evaluation.
    let mut order: Vec<usize> = (0..identities.len()).collect();
    order.sort_by_key(|&place| identities[place]);
    let units: Vec<u64> = order.iter().map(|&place| identities[place]).collect();
    let sums: Vec<ClusterSum> = order.iter().map(|&place| sums[place]).collect();
    let table = Crossed::of_sums(&units, &[sums]);
    let estimate = table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate());
    MetricRow::new(metric, Some(split), Population::All, &estimate)
}
