//! Rank correlations of depth with complexity as tables, for intervals and comparisons.

use crate::crossed::Crossed;
use crate::crosstable::CrossTable;
use crate::jackknife::jackknife;
use crate::measures::observed::{Depth, Observations, Observed};
use crate::partial::PartialRanks;
use crate::reason::Reason;
use crate::strata::Strata;
use crate::table::{Filter, TokenTable};

/// A rank correlation of depth with complexity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// Spearman's correlation over all sizes. It rewards a policy that reads nothing but the size.
    Spearman,
    /// The same without the tokens of the lowest complexity: whether depth follows complexity beyond separating trivial
    /// tokens from the others.
    SpearmanAboveLowest,
    /// Spearman's correlation within each size of the token's own problem, averaged over sizes with tokens as weights.
    WithinSize,
    /// Partial Spearman correlation given the size of the token's own problem and its position.
    Partial,
    /// Somers' D of depth given complexity.
    SomersD,
    /// Kendall's tau-b.
    TauB,
}

/// The table of a correlation, computed per seed and averaged over seeds; `count` is the number of tokens over all
/// seeds.
///
/// If it is undefined for one seed, so is the average: a seed that collapsed to a constant depth must not vanish from
/// it. Errors: [`Reason::NotApplicable`] if the tables lack the complexity or the depth, [`Reason::MissingCells`] if
/// they have different instances, and the errors of the correlation.
pub fn correlation_table(
    tables: &[TokenTable],
    complexity: &str,
    depth: Depth,
    filter: Filter,
    statistic: Statistic,
) -> Result<Crossed, Reason> {
    table(&Observations::of(tables, complexity, depth, filter)?, statistic)
}

/// The table of a correlation of these observations.
pub(crate) fn table(observations: &Observations, statistic: Statistic) -> Result<Crossed, Reason> {
    let above: Vec<Observed>;
    let seeds = match statistic {
        Statistic::SpearmanAboveLowest => {
            above = observations.above_lowest();
            &above
        }
        _ => &observations.seeds,
    };
    let prepared = seeds.iter().map(|seed| Prepared::of(seed, statistic)).collect::<Result<Vec<_>, _>>()?;
    let count = seeds.iter().map(|seed| seed.row.len()).sum();
    let of_seed = |seed: usize, without: Option<usize>| {
        let block = &seeds[seed].block;
        prepared[seed].value(statistic, |i| u32::from(without != Some(block[i])))
    };
    Ok(jackknife(seeds.len(), observations.blocks, count, of_seed)?.within(-1.0, 1.0))
}

/// The observations of one seed, prepared for leaving out one block at a time.
enum Prepared {
    Pairs(CrossTable),
    Sizes(Strata),
    Partial(PartialRanks),
}

impl Prepared {
    fn of(seed: &Observed, statistic: Statistic) -> Result<Self, Reason> {
        let Observed { complexity, depth, own_size, position, .. } = seed;
        Ok(match statistic {
            Statistic::WithinSize => Prepared::Sizes(Strata::of(complexity, depth, own_size)?),
            Statistic::Partial => Prepared::Partial(PartialRanks::of(complexity, depth, &[own_size, position], None)?),
            _ => Prepared::Pairs(CrossTable::of(complexity, depth)?),
        })
    }

    fn value(&self, statistic: Statistic, weight: impl Fn(usize) -> u32) -> Result<f64, Reason> {
        match (self, statistic) {
            (Prepared::Sizes(strata), _) => strata.spearman(weight).map(|within| within.value),
            (Prepared::Partial(ranks), _) => ranks.correlation(weight),
            (Prepared::Pairs(table), Statistic::SomersD) => table.somers_d(&table.tally(weight)),
            (Prepared::Pairs(table), Statistic::TauB) => table.tau_b(&table.tally(weight)),
            (Prepared::Pairs(table), _) => table.spearman(&table.tally(weight)),
        }
    }
}
