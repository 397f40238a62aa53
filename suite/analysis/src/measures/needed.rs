//! Needed depth: the least depth after which a token's answer stays right, beside the depth that a policy gives it.
//!
//! Every depth is forced on all tokens of the policy's own weights in turn. A token needs d steps if its answer is right at
//! every forced depth from d to D. It has no needed depth if its answer is wrong at D. The first depth with a right answer
//! is another number: an answer that is right by chance may change again.

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::crosstable::CrossTable;
use crate::estimate::Estimate;
use crate::jackknife::{Blocks, jackknife};
use crate::means::ClusterSum;
use crate::ranks::Levels;
use crate::reason::Reason;
use crate::split::Split;
use crate::table::{Filter, TokenTable};

/// Needed and given depth over the answer tokens of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeededDepth {
    /// Mean needed depth, over the tokens that have one.
    pub needed: Estimate,
    /// Mean depth given to the same tokens.
    pub given: Estimate,
    /// Mean first depth with a right answer, over the same tokens.
    pub first_right: Estimate,
    /// Mean number of steps beyond the needed ones, over the same tokens.
    pub over: Estimate,
    /// Mean number of steps that lack, over the same tokens.
    pub under: Estimate,
    /// Share of these tokens that get exactly the needed depth.
    pub exact: Estimate,
    /// Share of all answer tokens that have no needed depth.
    pub never: Estimate,
    /// Spearman's correlation of given with needed depth, per seed, averaged.
    pub spearman: Estimate,
}

/// Needed and given depth at one level of complexity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NeededLevel {
    /// The complexity, in the task's units.
    pub level: f64,
    /// Mean needed depth of the tokens that have one.
    pub needed: Estimate,
    /// Mean depth given to them.
    pub given: Estimate,
}

/// Per seed, what is known about each answer token of the split.
struct Needed {
    problems: Vec<u64>,
    seeds: Vec<Vec<Observed>>,
}

/// An answer token.
#[derive(Debug, Clone, Copy)]
struct Observed {
    /// Row of the policy's table.
    row: usize,
    /// Index of the problem.
    place: usize,
    given: f64,
    /// Needed depth and first right depth, if the answer is right at D.
    needed: Option<(f64, f64)>,
}

/// The needed depth and the first right depth of a token whose answers at the forced depths 1 to D are right or wrong;
/// `None` if the last is wrong.
pub fn needed_and_first(right: &[bool]) -> Option<(u32, u32)> {
    if right.last() != Some(&true) {
        return None;
    }
    let wrong = right.iter().rposition(|right| !right);
    let first = right.iter().position(|right| *right)?;
    Some((wrong.map_or(1, |place| place as u32 + 2), first as u32 + 1))
}

/// Needed depth beside the depth that a policy gives: `policy` has one table for each seed, and `forced[d - 1]` has the
/// tables of the same seeds with every token at depth d.
///
/// [`Reason::MissingCells`] if the tables have different tokens, [`Reason::Empty`] without forced depths or answer tokens.
pub fn needed_depth(
    policy: &[TokenTable],
    forced: &[Vec<TokenTable>],
    split: Option<Split>,
) -> Result<NeededDepth, Reason> {
    let needed = Needed::of(policy, forced, split)?;
    let mean = |value: &dyn Fn(f64, f64, f64) -> f64| {
        let of = |own: &Observed| own.needed.map(|(needed, first)| value(own.given, needed, first));
        needed.mean(of)
    };
    let share = |table: Result<Crossed, Reason>| estimate(table.map(|table| table.within(0.0, 1.0)));
    Ok(NeededDepth {
        needed: estimate(mean(&|_, needed, _| needed)),
        given: estimate(mean(&|given, _, _| given)),
        first_right: estimate(mean(&|_, _, first| first)),
        over: estimate(mean(&|given, needed, _| (given - needed).max(0.0))),
        under: estimate(mean(&|given, needed, _| (needed - given).max(0.0))),
        exact: share(mean(&|given, needed, _| f64::from(u8::from(given == needed)))),
        never: share(needed.mean(|own| Some(f64::from(u8::from(own.needed.is_none()))))),
        spearman: estimate(needed.spearman()),
    })
}

/// The same at every level of the named complexity, ascending.
///
/// Errors as for [`needed_depth`], and [`Reason::NotApplicable`] if a table lacks the complexity.
pub fn needed_by_level(
    policy: &[TokenTable],
    forced: &[Vec<TokenTable>],
    complexity: &str,
    split: Option<Split>,
) -> Result<Vec<NeededLevel>, Reason> {
    let needed = Needed::of(policy, forced, split)?;
    let columns = policy.iter().map(|table| table.columns().complexities.get(complexity).ok_or(Reason::NotApplicable));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let level_of = |seed: usize, own: &Observed| columns[seed][own.row].map(f64::from);
    let known = needed.seeds.iter().enumerate().flat_map(|(seed, all)| all.iter().map(move |own| (seed, own)));
    let values: Vec<f64> = known.filter_map(|(seed, own)| level_of(seed, own)).collect();
    let mut levels: Vec<f64> = values.clone();
    // The order of the levels; also refuses values that are not finite.
    Levels::of(&values)?;
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let at = |level: f64| {
        let mean = |value: &dyn Fn(&Observed, f64) -> f64| {
            let is_at = |seed: usize, own: &Observed| level_of(seed, own) == Some(level);
            needed.mean_where(is_at, |own| own.needed.map(|(needed, _)| value(own, needed)))
        };
        NeededLevel { level, needed: estimate(mean(&|_, needed| needed)), given: estimate(mean(&|own, _| own.given)) }
    };
    Ok(levels.into_iter().map(at).collect())
}

fn estimate(table: Result<Crossed, Reason>) -> Estimate {
    table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
}

impl Needed {
    fn of(policy: &[TokenTable], forced: &[Vec<TokenTable>], split: Option<Split>) -> Result<Self, Reason> {
        let problems = TokenTable::common_problems(policy)?;
        if forced.is_empty() {
            return Err(Reason::Empty);
        }
        let mut seeds = Vec::new();
        for (seed, table) in policy.iter().enumerate() {
            let at_depths = forced.iter().map(|tables| tables.get(seed).ok_or(Reason::MissingCells));
            let at_depths = at_depths.collect::<Result<Vec<_>, _>>()?;
            let same = |other: &&TokenTable| {
                other.columns().instance == table.columns().instance
                    && other.columns().position == table.columns().position
            };
            if !at_depths.iter().all(same) {
                return Err(Reason::MissingCells);
            }
            let observed = |row: usize| {
                let right: Vec<bool> =
                    at_depths.iter().map(|table| table.columns().correct[row] == Some(true)).collect();
                let needed = needed_and_first(&right).map(|(needed, first)| (f64::from(needed), f64::from(first)));
                Observed { row, place: table.place(row), given: f64::from(table.columns().depth[row]), needed }
            };
            seeds.push(table.rows(Filter { split, ..Filter::default() }).into_iter().map(observed).collect());
        }
        Ok(Self { problems, seeds })
    }

    /// Mean over the tokens that have the value.
    fn mean(&self, value: impl Fn(&Observed) -> Option<f64>) -> Result<Crossed, Reason> {
        self.mean_where(|_, _| true, value)
    }

    fn mean_where(
        &self,
        is_meant: impl Fn(usize, &Observed) -> bool,
        value: impl Fn(&Observed) -> Option<f64>,
    ) -> Result<Crossed, Reason> {
        let mut sums = vec![vec![ClusterSum::default(); self.problems.len()]; self.seeds.len()];
        for (seed, all) in self.seeds.iter().enumerate() {
            for own in all.iter().filter(|own| is_meant(seed, own)) {
                if let Some(value) = value(own) {
                    sums[seed][own.place].add(value);
                }
            }
        }
        Crossed::of_sums(&self.problems, &sums)
    }

    fn spearman(&self) -> Result<Crossed, Reason> {
        let known =
            |all: &Vec<Observed>| -> Vec<Observed> { all.iter().filter(|own| own.needed.is_some()).copied().collect() };
        let seeds: Vec<Vec<Observed>> = self.seeds.iter().map(known).collect();
        let mut occurs = vec![false; self.problems.len()];
        seeds.iter().flatten().for_each(|own| occurs[own.place] = true);
        let blocks = Blocks::of(occurs.iter().filter(|occurs| **occurs).count());
        let mut next = 0;
        let block_of: Vec<usize> = occurs
            .iter()
            .map(|occurs| {
                let block = blocks.block(next);
                next += usize::from(*occurs);
                block
            })
            .collect();
        let table = |all: &Vec<Observed>| {
            let needed: Vec<f64> = all.iter().filter_map(|own| own.needed.map(|(needed, _)| needed)).collect();
            let given: Vec<f64> = all.iter().map(|own| own.given).collect();
            CrossTable::of(&needed, &given)
        };
        let tables = seeds.iter().map(table).collect::<Result<Vec<_>, _>>()?;
        let count = seeds.iter().map(Vec::len).sum();
        let of_seed = |seed: usize, without: Option<usize>| {
            let weight = |token: usize| u32::from(without != Some(block_of[seeds[seed][token].place]));
            tables[seed].spearman(&tables[seed].tally(weight))
        };
        Ok(jackknife(seeds.len(), blocks, count, of_seed)?.within(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::needed_and_first;

    #[test]
    fn an_answer_that_changes_again_needs_more_than_its_first_right_depth() {
        let of = |right: &str| needed_and_first(&right.chars().map(|letter| letter == '1').collect::<Vec<bool>>());
        assert_eq!(of("1111"), Some((1, 1)));
        assert_eq!(of("0111"), Some((2, 2)));
        assert_eq!(of("1011"), Some((3, 1)));
        assert_eq!(of("0101"), Some((4, 2)));
        assert_eq!(of("0001"), Some((4, 4)));
        assert_eq!(of("1110"), None);
        assert_eq!(of(""), None);
    }
}
