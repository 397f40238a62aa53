//! Means with intervals from one sum per cluster, and paired differences of means.
//!
//! A mean over tokens is a ratio: the sum over clusters of what they add up to, by the sum of how many tokens they
//! have. Sums per cluster are all that the bootstrap needs, so a resample costs one pass over the clusters.
//! With several seeds the sums run over all of them: every token counts the same.

use crate::bootstrap::{Bootstrap, Draw, for_each_resample, interval_method, original, with_interval};
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
    mean_of(seeds, &original(&shape(seeds)))
}

/// Bootstrap replicates of the mean; `None` where a resample has no observations.
///
/// Replicates of data of one shape are paired: see [`crate::bootstrap`].
pub fn mean_replicates(seeds: &[Vec<ClusterSum>], bootstrap: Bootstrap) -> Vec<Option<f64>> {
    let mut replicates = Vec::with_capacity(bootstrap.resamples);
    for_each_resample(&shape(seeds), bootstrap, |draws| replicates.push(mean_of(seeds, draws).ok()));
    replicates
}

/// Mean with its interval; `count` is the number of observations.
pub fn mean_estimate(seeds: &[Vec<ClusterSum>], bootstrap: Bootstrap) -> Estimate {
    let point = Estimate::from_result(mean(seeds), observations(seeds));
    let clusters = shape(seeds);
    if point.value.is_none() || interval_method(&clusters).is_err() {
        return with_interval(point, &[], &clusters, bootstrap);
    }
    with_interval(point, &mean_replicates(seeds, bootstrap), &clusters, bootstrap)
}

/// Paired bootstrap of the difference of two means, a minus b, over the same seeds and clusters.
///
/// Cluster k of seed s must be the same sequence in both; [`Reason::Mismatched`] if the shapes differ. `count` is the
/// number of clusters. An interval that excludes 0 is a difference at level [`crate::LEVEL`].
pub fn paired_difference(a: &[Vec<ClusterSum>], b: &[Vec<ClusterSum>], bootstrap: Bootstrap) -> Estimate {
    let clusters = shape(a);
    if clusters != shape(b) {
        return Estimate::missing(Reason::Mismatched, clusters.iter().sum());
    }
    crate::bootstrap::cluster_bootstrap(&clusters, bootstrap, |draws| Ok(mean_of(a, draws)? - mean_of(b, draws)?))
}

/// How many observations there are.
pub(crate) fn observations(seeds: &[Vec<ClusterSum>]) -> usize {
    seeds.iter().flatten().map(|cluster| cluster.count).sum::<f64>() as usize
}
