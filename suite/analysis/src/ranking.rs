//! Rank intervals and tie groups.
//!
//! A ranking by point estimates is mostly noise. What the data support is an interval of ranks for every policy, and
//! groups within which no order is claimed.

use serde::{Deserialize, Serialize};

use crate::interval::{LEVEL, percentile_interval};
use crate::reason::Reason;

/// Where one policy stands. Ranks and groups count from 1, the best; all three are missing together, with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Best rank of the interval of level [`LEVEL`].
    pub rank_low: Option<usize>,
    /// Worst rank of the interval.
    pub rank_high: Option<usize>,
    /// Tie group.
    pub group: Option<usize>,
    /// Why the policy is unranked.
    pub reason: Option<Reason>,
}

impl Standing {
    /// A policy that is shown without a rank.
    pub fn unranked(reason: Reason) -> Self {
        Standing { rank_low: None, rank_high: None, group: None, reason: Some(reason) }
    }
}

/// Ranks policies by replicates of a score of which more is better; entry i of the result belongs to entry i of
/// `scores`. Replicate r of every policy must be of the same resampled seeds and sequences.
///
/// **Ranks.** In every replicate a policy has a best rank, one more than the number of policies strictly above it,
/// and a worst rank, the number of policies not below it, itself included. `rank_low` is the quantile
/// (1 - [`LEVEL`]) / 2 of the best ranks, rounded down to one that occurs; `rank_high` is the quantile (1 + `LEVEL`) / 2
/// of the worst ranks, rounded up.
///
/// **Groups.** Two policies tie when the interval of their paired difference contains 0. The policies are walked in
/// the order of their mean replicates, from the best, equal means in the order of `scores`. The first one leads group
/// 1; a policy that ties with the leader of the current group joins it, one that does not leads the next group. So
/// members of a group are those not distinguishable from its best one; the last of one group may still tie with the
/// first of the next.
///
/// Unranked, and not counted in the ranks of the others, are policies given as `None` ([`Reason::MissingCells`]), with
/// no replicates ([`Reason::Empty`]), with infinite or NaN ones ([`Reason::NotFinite`]), or with another number of
/// replicates than the first policy that has some ([`Reason::Mismatched`]).
pub fn rank(scores: &[Option<Vec<f64>>]) -> Vec<Standing> {
    let resamples = scores.iter().flatten().map(Vec::len).find(|&n| n > 0).unwrap_or(0);
    let usable: Vec<Result<&[f64], Reason>> = scores.iter().map(|score| usable(score.as_deref(), resamples)).collect();
    let ranked: Vec<(usize, &[f64])> =
        usable.iter().enumerate().filter_map(|(policy, score)| Some((policy, score.ok()?))).collect();
    let mut standings: Vec<Standing> =
        usable.iter().map(|score| Standing::unranked(score.err().unwrap_or(Reason::Empty))).collect();
    let groups = groups(&ranked);
    for (&(policy, score), group) in ranked.iter().zip(groups) {
        let (low, high) = rank_interval(score, &ranked);
        if let Some(standing) = standings.get_mut(policy) {
            *standing = Standing { rank_low: low, rank_high: high, group: Some(group), reason: None };
        }
    }
    standings
}

/// Whether two policies tie: whether the interval of level [`LEVEL`] of a minus b contains 0. Errors:
/// [`Reason::Mismatched`] for different numbers of replicates, [`Reason::Empty`], [`Reason::NotFinite`].
pub fn ties(a: &[f64], b: &[f64]) -> Result<bool, Reason> {
    if a.len() != b.len() {
        return Err(Reason::Mismatched);
    }
    let differences: Vec<Option<f64>> = a.iter().zip(b).map(|(a, b)| Some(a - b)).collect();
    let (low, high) = percentile_interval(&differences)?;
    Ok(low <= 0.0 && high >= 0.0)
}

fn usable(score: Option<&[f64]>, resamples: usize) -> Result<&[f64], Reason> {
    match score {
        None => Err(Reason::MissingCells),
        Some([]) => Err(Reason::Empty),
        Some(score) if score.len() != resamples => Err(Reason::Mismatched),
        Some(score) if score.iter().any(|x| !x.is_finite()) => Err(Reason::NotFinite),
        Some(score) => Ok(score),
    }
}

/// Tie group of every ranked policy, in their order.
fn groups(ranked: &[(usize, &[f64])]) -> Vec<usize> {
    let mean = |score: &[f64]| score.iter().sum::<f64>() / score.len() as f64;
    let mut order: Vec<(f64, usize, &[f64])> =
        ranked.iter().enumerate().map(|(i, (_, score))| (mean(score), i, *score)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut groups = vec![0; ranked.len()];
    let mut current = 0;
    let mut leader: Option<&[f64]> = None;
    for (_, i, score) in order {
        if leader.is_none_or(|leader| ties(leader, score) != Ok(true)) {
            current += 1;
            leader = Some(score);
        }
        if let Some(group) = groups.get_mut(i) {
            *group = current;
        }
    }
    groups
}

/// Interval of the ranks of one policy among all.
fn rank_interval(score: &[f64], ranked: &[(usize, &[f64])]) -> (Option<usize>, Option<usize>) {
    let (mut best, mut worst) = (Vec::with_capacity(score.len()), Vec::with_capacity(score.len()));
    for (r, own) in score.iter().enumerate() {
        let others = || ranked.iter().filter_map(|(_, other)| other.get(r));
        best.push(1 + others().filter(|&other| other > own).count());
        worst.push(others().filter(|&other| other >= own).count());
    }
    best.sort_unstable();
    worst.sort_unstable();
    let last = score.len().saturating_sub(1) as f64;
    let tail = (1.0 - LEVEL) / 2.0;
    let low = best.get((tail * last).floor() as usize).copied();
    let high = worst.get(((1.0 - tail) * last).ceil() as usize).copied();
    (low, high)
}
