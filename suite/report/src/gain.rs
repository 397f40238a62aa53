//! Adapt-gain of a row over the fixed depths of its board.

use haltbench_analysis::bootstrap::cluster_bootstrap;
use haltbench_analysis::frontier::{CostAccuracy, adapt_gain};
use haltbench_analysis::means::mean_of;
use haltbench_analysis::{Bootstrap, ClusterSum, Estimate, Frontier, Reason, Split};

use crate::evidence::Evidence;

/// Name of the policy whose rows make the frontier.
pub(crate) const FIXED: &str = "fixed";

/// The gain with its interval, and the replicates that the interval is of; `count` is the number of sequences.
///
/// The fixed depths are taken at the seeds of the policy, so that every comparison is a paired one.
/// [`Reason::NotApplicable`] for a fixed depth itself, [`Reason::NoFrontier`] without fixed depths,
/// [`Reason::MissingCells`] if one of them lacks a seed of the policy or was evaluated on other sequences.
pub(crate) fn gain(
    policy: &Evidence,
    board: &[Evidence],
    bootstrap: Bootstrap,
) -> (Estimate, Result<Vec<Option<f64>>, Reason>) {
    let own = &policy.in_range;
    let design = policy.design(Some(Split::InRange));
    let missing = |reason| (Estimate::missing(reason, design.clusters()), Err(reason));
    let fixed = match frontier(policy, board) {
        Ok(fixed) => fixed,
        Err(reason) => return missing(reason),
    };
    let mut values = Vec::with_capacity(bootstrap.resamples + 1);
    let estimate = cluster_bootstrap(&design, bootstrap, |draws| {
        let point = |of: &CostAccuracy| Ok((mean_of(&of.cost, draws)?, mean_of(&of.accuracy, draws)?));
        let points = fixed.iter().map(point).collect::<Result<Vec<_>, _>>();
        let value = points.and_then(|points| {
            let (cost, accuracy) = point(own)?;
            adapt_gain(cost, accuracy, &Frontier::new(&points)?)
        });
        values.push(value.ok());
        value
    });
    // The first value is that of the data themselves; without resamples nothing can be ranked.
    let replicates = match (estimate.reason, values.split_first()) {
        (_, Some((Some(_), replicates))) if !replicates.is_empty() => Ok(replicates.to_vec()),
        (reason, _) => Err(reason.unwrap_or(Reason::Empty)),
    };
    (estimate, replicates)
}

/// The fixed depths of the board at the seeds of the policy.
fn frontier(policy: &Evidence, board: &[Evidence]) -> Result<Vec<CostAccuracy>, Reason> {
    if policy.plan.policy.name == FIXED {
        return Err(Reason::NotApplicable);
    }
    let fixed: Vec<&Evidence> = board.iter().filter(|row| row.plan.policy.name == FIXED).collect();
    if fixed.is_empty() {
        return Err(Reason::NoFrontier);
    }
    fixed.iter().map(|row| beside(row, policy)).collect::<Option<Vec<_>>>().ok_or(Reason::MissingCells)
}

/// Cost and accuracy of a row at the seeds of the policy only, if it has all of them, on the same sequences.
fn beside(row: &Evidence, policy: &Evidence) -> Option<CostAccuracy> {
    let places: Vec<usize> =
        policy.seeds.iter().map(|seed| row.seeds.binary_search(seed).ok()).collect::<Option<_>>()?;
    let sequences =
        |of: &Evidence, place: usize| of.tables.get(place).map(|table| table.instances(Some(Split::InRange)));
    if places.iter().enumerate().any(|(own, &place)| sequences(row, place) != sequences(policy, own)) {
        return None;
    }
    let pick = |sums: &[Vec<ClusterSum>]| places.iter().filter_map(|&place| sums.get(place).cloned()).collect();
    Some(CostAccuracy { cost: pick(&row.in_range.cost), accuracy: pick(&row.in_range.accuracy) })
}
