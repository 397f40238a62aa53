//! Means with intervals from one sum per cluster, and paired differences of means.
//!
//! A mean over tokens is a ratio: the sum over clusters of what they add up to, by the sum of how many tokens they
//! have. Sums per cluster are all that the bootstrap needs, so a resample costs one pass over the clusters.
//! With several seeds the sums run over all of them: every token counts the same.

use crate::bootstrap::{Bootstrap, Draw, cluster_bootstrap, for_each_resample, interval_method, with_interval};
use crate::design::Design;
use crate::estimate::Estimate;
use crate::reason::Reason;

/// What one cluster contributes to a mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClusterSum {
    /// Sum over the observations of the cluster.
    pub sum: f64,
    /// Number of observations of the cluster, 0 allowed.
    pub count: f64,
}

impl ClusterSum {
    /// Adds one observation.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }
}

/// How many clusters every seed has.
pub fn shape(seeds: &[Vec<ClusterSum>]) -> Vec<usize> {
    seeds.iter().map(Vec::len).collect()
}

/// Mean of a resample: sums by counts, weighted by how often each cluster was drawn. [`Reason::Empty`] without
/// observations.
pub fn mean_of(seeds: &[Vec<ClusterSum>], draws: &[Draw]) -> Result<f64, Reason> {
    let (mut sum, mut count) = (0.0, 0.0);
    for draw in draws {
        let clusters = seeds.get(draw.seed).ok_or(Reason::Mismatched)?;
        for (cluster, &weight) in clusters.iter().zip(&draw.weights) {
            sum += cluster.sum * f64::from(weight);
            count += cluster.count * f64::from(weight);
        }
    }
    if count > 0.0 { Ok(sum / count) } else { Err(Reason::Empty) }
}

/// Mean over all clusters of all seeds. [`Reason::Empty`] without observations.
pub fn mean(seeds: &[Vec<ClusterSum>]) -> Result<f64, Reason> {
    let all = |part: fn(&ClusterSum) -> f64| seeds.iter().flatten().map(part).sum::<f64>();
    let (sum, count) = (all(|cluster| cluster.sum), all(|cluster| cluster.count));
    if count > 0.0 { Ok(sum / count) } else { Err(Reason::Empty) }
}

/// Bootstrap replicates of the mean; `None` where a resample has no observations. Cluster k of seed s is that of the
/// design.
///
/// Replicates of data of one design are paired: see [`crate::bootstrap`].
pub fn mean_replicates(seeds: &[Vec<ClusterSum>], design: &Design, bootstrap: Bootstrap) -> Vec<Option<f64>> {
    let mut replicates = Vec::with_capacity(bootstrap.resamples);
    for_each_resample(design, bootstrap, |draws| replicates.push(mean_of(seeds, draws).ok()));
    replicates
}

/// Mean with its interval; `count` is the number of observations. [`Reason::Mismatched`] if the clusters are not those
/// of the design.
pub fn mean_estimate(seeds: &[Vec<ClusterSum>], design: &Design, bootstrap: Bootstrap) -> Estimate {
    if shape(seeds) != design.shape() {
        return Estimate::missing(Reason::Mismatched, observations(seeds));
    }
    let point = Estimate::from_result(mean(seeds), observations(seeds));
    if point.value.is_none() || interval_method(design).is_err() {
        return with_interval(point, &[], design, bootstrap);
    }
    with_interval(point, &mean_replicates(seeds, design, bootstrap), design, bootstrap)
}

/// Paired bootstrap of the difference of two means, a minus b, over the same seeds and clusters.
///
/// Cluster k of seed s must be the same sequence in both; [`Reason::Mismatched`] if the clusters of one of them are not
/// those of the design. `count` is the number of clusters. An interval that excludes 0 is a difference at level
/// [`crate::LEVEL`].
pub fn paired_difference(
    a: &[Vec<ClusterSum>],
    b: &[Vec<ClusterSum>],
    design: &Design,
    bootstrap: Bootstrap,
) -> Estimate {
    if shape(a) != design.shape() || shape(b) != design.shape() {
        return Estimate::missing(Reason::Mismatched, design.clusters());
    }
    cluster_bootstrap(design, bootstrap, |draws| Ok(mean_of(a, draws)? - mean_of(b, draws)?))
}

/// How many observations there are.
pub(crate) fn observations(seeds: &[Vec<ClusterSum>]) -> usize {
    seeds.iter().flatten().map(|cluster| cluster.count).sum::<f64>() as usize
}
