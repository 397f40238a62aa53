//! The fixed-depth frontier, and what adaptive depth gains over it at the same cost.

use crate::bootstrap::{Bootstrap, Draw, cluster_bootstrap};
use crate::design::Design;
use crate::estimate::Estimate;
use crate::means::{ClusterSum, mean_of, shape};
use crate::reason::Reason;

/// The best accuracy that fixed depths reach, as a function of cost: the non-dominated points, joined by straight
/// lines. A point is dominated if another one costs no more and is no less accurate.
///
/// Costs and accuracies are in any units, as long as policies are measured in the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    points: Vec<(f64, f64)>,
}

impl Frontier {
    /// Frontier of points (cost, accuracy) in any order. [`Reason::NoFrontier`] without points, [`Reason::NotFinite`]
    /// if one is infinite or NaN.
    pub fn new(points: &[(f64, f64)]) -> Result<Self, Reason> {
        if points.is_empty() {
            return Err(Reason::NoFrontier);
        }
        if points.iter().any(|(cost, accuracy)| !cost.is_finite() || !accuracy.is_finite()) {
            return Err(Reason::NotFinite);
        }
        let mut sorted = points.to_vec();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut best = f64::NEG_INFINITY;
        sorted.retain(|&(_, accuracy)| {
            let better = accuracy > best;
            best = best.max(accuracy);
            better
        });
        Ok(Frontier { points: sorted })
    }

    /// The non-dominated points (cost, accuracy), both strictly ascending.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Accuracy of the frontier at a cost: interpolated between its points, that of the last one beyond it.
    /// [`Reason::OutsideFrontier`] below the cheapest, [`Reason::NotFinite`] for a cost that is infinite or NaN.
    pub fn accuracy_at(&self, cost: f64) -> Result<f64, Reason> {
        if !cost.is_finite() {
            return Err(Reason::NotFinite);
        }
        let above = self.points.partition_point(|point| point.0 <= cost);
        let below = above.checked_sub(1).and_then(|i| self.points.get(i)).ok_or(Reason::OutsideFrontier)?;
        Ok(self.points.get(above).map_or(below.1, |next| {
            let share = (cost - below.0) / (next.0 - below.0);
            below.1 + share * (next.1 - below.1)
        }))
    }
}

/// Accuracy above the fixed-depth frontier at the same cost; negative below it. Errors as for
/// [`Frontier::accuracy_at`]; [`Reason::NotFinite`] for an accuracy that is infinite or NaN.
pub fn adapt_gain(cost: f64, accuracy: f64, frontier: &Frontier) -> Result<f64, Reason> {
    let gain = accuracy - frontier.accuracy_at(cost)?;
    if gain.is_finite() { Ok(gain) } else { Err(Reason::NotFinite) }
}

/// Cost and accuracy of one policy, or of one fixed depth, per seed and sequence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostAccuracy {
    /// Contributions to the mean cost.
    pub cost: Vec<Vec<ClusterSum>>,
    /// Contributions to the mean accuracy, of the same sequences in the same order.
    pub accuracy: Vec<Vec<ClusterSum>>,
}

impl CostAccuracy {
    fn point(&self, draws: &[Draw]) -> Result<(f64, f64), Reason> {
        Ok((mean_of(&self.cost, draws)?, mean_of(&self.accuracy, draws)?))
    }
}

/// [`adapt_gain`] with its paired bootstrap interval: every resample moves the policy and the frontier together.
/// `count` is the number of sequences, over all seeds.
///
/// [`Reason::NoFrontier`] without fixed depths, [`Reason::MissingCells`] if one of them, or the policy, was not evaluated
/// on as many seeds and sequences as the design has.
pub fn adapt_gain_estimate(
    policy: &CostAccuracy,
    fixed: &[CostAccuracy],
    design: &Design,
    bootstrap: Bootstrap,
) -> Estimate {
    let clusters = design.shape();
    let same = |other: &CostAccuracy| shape(&other.cost) == clusters && shape(&other.accuracy) == clusters;
    if fixed.is_empty() {
        return Estimate::missing(Reason::NoFrontier, design.clusters());
    }
    if !same(policy) || !fixed.iter().all(same) {
        return Estimate::missing(Reason::MissingCells, design.clusters());
    }
    cluster_bootstrap(design, bootstrap, |draws| {
        let points = fixed.iter().map(|depth| depth.point(draws)).collect::<Result<Vec<_>, _>>()?;
        let (cost, accuracy) = policy.point(draws)?;
        adapt_gain(cost, accuracy, &Frontier::new(&points)?)
    })
}
