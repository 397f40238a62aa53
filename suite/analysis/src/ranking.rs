//! Simultaneous differences of all pairs of policies, and the possible ranks that follow from them.
//!
//! A ranking by point estimates is mostly noise. The data show which pairs differ, and these give an interval of ranks
//! for every policy. All differences are paired by seed and sequence, and their intervals hold simultaneously with
//! probability at least [`LEVEL`]: each has the level [`LEVEL`]^(1/pairs) (Šidák 1967), which is Tamhane's T2
//! (Communications in Statistics A 6 (1977) 1253-1263) with the intervals of [`crate::crossed`].
//!
//! Games and Howell's procedure, the studentised range with the degrees of freedom of each pair, would be narrower but
//! assumes one estimate of variance for all pairs, and with few seeds each pair has its own. In simulations
//! (`tests/coverage/ranks.rs`) with four to six policies, it covers all differences in 38 to 70 % of cases with two
//! seeds that matter, in 70 to 84 % with three, and in 86 to 91 % with five; these intervals do so in at least 95 %.
//!
//! Using the dependence between differences would gain little. Take equal policies where only seeds vary: in 5 % of
//! cases the largest |t| of all pairs exceeds 73.8 with four policies and two seeds, and 11.3 with 19 and five, where
//! these intervals use 74.8 and 11.8. So many policies need more seeds, or fewer comparisons.

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::interval::{LEVEL, each_of};
use crate::letters::letters;
use crate::reason::Reason;

/// The standing of one policy. Ranks count from 1, the best; all three are missing together, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Best possible rank: one more than the number of better policies.
    pub rank_low: Option<usize>,
    /// Worst possible rank: the number of policies that are not worse, including itself.
    pub rank_high: Option<usize>,
    /// Two policies share a letter if and only if they cannot be distinguished.
    pub letters: Option<String>,
    /// Why the policy is unranked.
    pub reason: Option<Reason>,
}

impl Standing {
    /// A policy without a rank.
    pub fn unranked(reason: Reason) -> Self {
        Standing { rank_low: None, rank_high: None, letters: None, reason: Some(reason) }
    }
}

/// The difference of two ranked policies, by their indices in the argument of [`rank`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first policy, which has the higher score.
    pub first: usize,
    /// The second one.
    pub second: usize,
    /// Score of the first minus score of the second. The interval is simultaneous over all pairs.
    pub difference: Estimate,
    /// Whether the two can be distinguished: whether the interval excludes 0.
    pub different: bool,
}

/// Standings and differences of policies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ranking {
    /// Entry i belongs to policy i.
    pub standings: Vec<Standing>,
    /// All pairs of ranked policies, in the order of their scores.
    pub differences: Vec<Difference>,
}

/// Ranks policies by a score, where more is better. Letters follow the order of scores, with ties in the given order.
///
/// All true ranks lie within their intervals simultaneously with probability at least [`LEVEL`] (Mogstad, Romano,
/// Shaikh and Wilhelm, Review of Economic Studies 91 (2024) 476-518: rank sets from simultaneous intervals of
/// differences).
///
/// Policies without a table, or with a table that cannot have an interval, are unranked and do not count in the ranks
/// of others; so are policies whose design differs from the first remaining policy ([`Reason::MissingCells`]).
pub fn rank(scores: &[Result<Crossed, Reason>]) -> Ranking {
    let usable = |score: &Result<Crossed, Reason>| -> Result<(), Reason> {
        score.as_ref().map_err(|r| *r)?.interval(LEVEL).map(|_| ())
    };
    let reference = scores.iter().find(|score| usable(score).is_ok()).and_then(|score| score.as_ref().ok());
    let same = |table: &Crossed| {
        reference.is_some_and(|first| first.units() == table.units() && first.seeds() == table.seeds())
    };
    let checked: Vec<Result<&Crossed, Reason>> = scores
        .iter()
        .map(|score| {
            usable(score)?;
            score
                .as_ref()
                .map_err(|reason| *reason)
                .and_then(|table| if same(table) { Ok(table) } else { Err(Reason::MissingCells) })
        })
        .collect();
    let mut ranked: Vec<(usize, &Crossed)> =
        checked.iter().enumerate().filter_map(|(policy, table)| Some((policy, *table.as_ref().ok()?))).collect();
    ranked.sort_by(|a, b| b.1.mean().total_cmp(&a.1.mean()));
    let number = ranked.len();
    let level = each_of(number * number.saturating_sub(1) / 2, LEVEL);
    let mut different = vec![vec![false; number]; number];
    let mut differences = Vec::new();
    for (i, &(first, high)) in ranked.iter().enumerate() {
        for (j, &(second, low)) in ranked.iter().enumerate().skip(i + 1) {
            let difference = difference(high, low, level);
            let apart = difference.excludes(0.0);
            (different[i][j], different[j][i]) = (apart, apart);
            differences.push(Difference { first, second, difference, different: apart });
        }
    }
    let mut standings: Vec<Standing> = checked
        .iter()
        .map(|table| Standing::unranked(table.as_ref().err().copied().unwrap_or(Reason::Empty)))
        .collect();
    for ((place, &(policy, _)), letters) in ranked.iter().enumerate().zip(letters(&different)) {
        let better = different[place].iter().take(place).filter(|apart| **apart).count();
        let worse = different[place].iter().skip(place).filter(|apart| **apart).count();
        standings[policy] = Standing {
            rank_low: Some(1 + better),
            rank_high: Some(number - worse),
            letters: Some(letters),
            reason: None,
        };
    }
    Ranking { standings, differences }
}

/// The difference of two tables with an interval of this level.
fn difference(a: &Crossed, b: &Crossed, level: f64) -> Estimate {
    let table = match a.minus(b) {
        Ok(table) => table,
        Err(reason) => return Estimate::missing(reason, 0),
    };
    let point = Estimate::point(table.mean(), table.count());
    match table.interval(level) {
        Ok((interval, method)) => point.with_interval(interval, method),
        Err(reason) => point.without_interval(reason),
    }
}
