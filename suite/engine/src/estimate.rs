//! Measures of one cell from one sum for each sequence.

use haltbench_analysis::{ClusterSum, Crossed, Estimate, Population, Split};

use crate::store::MetricRow;

/// What bounds a mean over sequences, and every sequence's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// 0 and 1.
    Share,
    /// Nothing that is known.
    None,
}

/// A mean over sequences of one split, whose lasting names are `identities`, with its interval.
pub(crate) fn row(metric: &str, split: Split, identities: &[u64], sums: Vec<ClusterSum>, bounds: Bounds) -> MetricRow {
    let table = Crossed::of_sums(identities, &[sums]).map(|table| match bounds {
        Bounds::Share => table.within(0.0, 1.0),
        Bounds::None => table,
    });
    let estimate = table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate());
    MetricRow::new(metric, Some(split), Population::All, &estimate)
}
