//! Measures of one cell from one sum for each sequence.

use std::collections::BTreeMap;

use haltbench_analysis::{ClusterSum, Crossed, Estimate, Population, Split};

use crate::store::MetricRow;

/// Bounds of a mean over sequences, and of each sequence's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// 0 and 1.
    Share,
    /// No known bounds.
    None,
}

/// A mean over sequences of one split, each with the id of its problem, with its interval.
pub(crate) fn row(
    metric: &str,
    split: Split,
    sequences: impl IntoIterator<Item = (u64, ClusterSum)>,
    bounds: Bounds,
) -> MetricRow {
    let mut of_problems: BTreeMap<u64, ClusterSum> = BTreeMap::new();
    for (problem, own) in sequences {
        let all = of_problems.entry(problem).or_default();
        all.sum += own.sum;
        all.count += own.count;
    }
    let (problems, sums): (Vec<u64>, Vec<ClusterSum>) = of_problems.into_iter().unzip();
    let table = Crossed::of_sums(&problems, &[sums]).map(|table| match bounds {
        Bounds::Share => table.within(0.0, 1.0),
        Bounds::None => table,
    });
    let estimate = table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate());
    MetricRow::new(metric, Some(split), Population::All, &estimate)
}
