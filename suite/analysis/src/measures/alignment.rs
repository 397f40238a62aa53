//! Alignment: does the depth of a token follow its complexity?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::measures::correlations::{Statistic, table};
use crate::measures::observed::{Depth, Observations, Observed};
use crate::measures::quality::{Quantity, estimate};
use crate::reason::Reason;
use crate::strata::Strata;
use crate::table::{Filter, Population, TokenTable};

/// Alignment of depth with one complexity in one selection of tokens. `count` of an estimate is the number of tokens
/// over all seeds unless documented otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// Name of the complexity.
    pub complexity: String,
    /// The selection of tokens.
    pub filter: Filter,
    /// Selected tokens that were left out because the task does not define this complexity for them.
    pub excluded: usize,
    /// Share of the split's sequences that are answered correctly, for any population: the share that a population of
    /// correct sequences keeps. Its `count` is the number of sequences.
    pub exact_match: Estimate,
    /// Share of the used tokens that ran to the largest depth allowed. Above about 0.2 the depth is censored, and the
    /// correlations say little; they are reported all the same.
    pub saturation: Estimate,
    /// See [`Statistic::Spearman`].
    pub spearman: Estimate,
    /// See [`Statistic::SpearmanAboveLowest`].
    pub above_lowest: Estimate,
    /// See [`Statistic::WithinSize`].
    pub within_size: Estimate,
    /// Number of sizes where the correlation within the size is defined, summed over seeds.
    pub sizes: usize,
    /// Number of sizes where it is undefined and which `within_size` leaves out, summed over seeds.
    pub undefined_sizes: usize,
    /// See [`Statistic::Partial`].
    pub partial: Estimate,
    /// See [`Statistic::SomersD`].
    pub somers_d: Estimate,
    /// See [`Statistic::TauB`].
    pub tau_b: Estimate,
}

/// Alignment of tokens' steps with the named complexity over the selected tokens, with one table per seed. `max_depth`
/// is the largest depth allowed. For other depths than the steps where a token is predicted, see
/// [`correlation_table`](super::correlation_table()).
///
/// If a table lacks the complexity, the estimates are missing with [`Reason::NotApplicable`].
pub fn alignment(tables: &[TokenTable], complexity: &str, filter: Filter, max_depth: u32) -> Alignment {
    let exact_match = estimate(tables, Quantity::ExactMatch, filter.split);
    let observations = Observations::of(tables, complexity, Depth::Steps, filter);
    let count = observations.as_ref().map_or(0, Observations::count);
    let of = |statistic: Statistic| {
        let table = observations.as_ref().map_err(|reason| *reason).and_then(|all| table(all, statistic));
        table.map_or_else(|reason| Estimate::missing(reason, count), |table| table.estimate())
    };
    let sizes: Vec<(usize, usize)> =
        observations.iter().flat_map(|all| &all.seeds).filter_map(|seed| sizes(seed).ok()).collect();
    Alignment {
        complexity: complexity.to_owned(),
        filter,
        excluded: observations.as_ref().map_or(0, |all| all.excluded),
        exact_match,
        saturation: saturation(&observations, max_depth),
        spearman: of(Statistic::Spearman),
        above_lowest: of(Statistic::SpearmanAboveLowest),
        within_size: of(Statistic::WithinSize),
        sizes: sizes.iter().map(|sizes| sizes.0).sum(),
        undefined_sizes: sizes.iter().map(|sizes| sizes.1).sum(),
        partial: of(Statistic::Partial),
        somers_d: of(Statistic::SomersD),
        tau_b: of(Statistic::TauB),
    }
}

/// Alignments with every complexity of the tables, among all sequences and among correctly answered ones. The
/// population of `filter` is ignored.
pub fn alignments(tables: &[TokenTable], filter: Filter, max_depth: u32) -> Vec<Alignment> {
    let names: BTreeSet<&String> = tables.iter().flat_map(|table| table.columns().complexities.keys()).collect();
    let populations = [Population::All, Population::CorrectOnly];
    names
        .into_iter()
        .flat_map(|name| populations.map(|population| (name, Filter { population, ..filter })))
        .map(|(name, filter)| alignment(tables, name, filter, max_depth))
        .collect()
}

/// Number of sizes with a correlation of their own, and number of sizes without.
fn sizes(seed: &Observed) -> Result<(usize, usize), Reason> {
    Ok(Strata::of(&seed.complexity, &seed.depth, &seed.own_size)?.counts())
}

/// Share of the observed tokens that ran to the largest depth, with blocks of problems as units.
fn saturation(observations: &Result<Observations, Reason>, max_depth: u32) -> Estimate {
    let share = |all: &Observations| {
        let blocks: Vec<u64> = (0..all.blocks.count() as u64).collect();
        let mut sums = vec![vec![crate::means::ClusterSum::default(); blocks.len()]; all.seeds.len()];
        for (seed, sums) in all.seeds.iter().zip(&mut sums) {
            for (depth, &block) in seed.depth.iter().zip(&seed.block) {
                sums[block].add(f64::from(u8::from(*depth >= f64::from(max_depth))));
            }
        }
        Ok(Crossed::of_sums(&blocks, &sums)?.within(0.0, 1.0))
    };
    let table = observations.as_ref().map_err(|reason| *reason).and_then(share);
    table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
}
