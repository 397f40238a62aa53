//! Alignment: does the depth of a token follow its complexity?
//!
//! Every correlation is computed per seed and averaged over the seeds. If one seed has none, the average has none: a
//! seed that collapsed to a constant depth must not vanish from it. Intervals recompute ranks in every resample.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Draw, for_each_resample, interval_method, mean_over_draws, original, with_interval};
use crate::crosstable::CrossTable;
use crate::design::Design;
use crate::estimate::Estimate;
use crate::means::{ClusterSum, mean_estimate};
use crate::measures::observed::Observed;
use crate::measures::quality::{Quantity, estimate};
use crate::partial::PartialRanks;
use crate::reason::Reason;
use crate::strata::Strata;
use crate::table::{Filter, Population, TokenTable};

/// Alignment of depth with one complexity, in one selection of tokens. `count` of an estimate is the number of
/// tokens over all seeds, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// Name of the complexity.
    pub complexity: String,
    /// The selection of tokens.
    pub filter: Filter,
    /// Tokens of the selection that were left out because the task defines no such complexity for them.
    pub excluded: usize,
    /// Share of the sequences of the split that are answered rightly, whatever the population: how many of them a
    /// population of correct ones keeps. Its `count` is the number of sequences.
    pub exact_match: Estimate,
    /// Share of the tokens used that ran to the largest depth allowed. Above about 0.2 the depth is censored, and the
    /// correlations say little; they are reported all the same.
    pub saturation: Estimate,
    /// Spearman's correlation over all sizes. It rewards a policy that reads nothing but the size.
    pub spearman: Estimate,
    /// Average over sizes of Spearman's correlation within each, weighted by tokens.
    pub within_size: Estimate,
    /// Number of sizes where the correlation within is defined, summed over seeds.
    pub sizes: usize,
    /// Number of sizes where it is not and which `within_size` leaves out, summed over seeds.
    pub undefined_sizes: usize,
    /// Partial Spearman correlation on size and position.
    pub partial: Estimate,
    /// Somers' D of depth given complexity.
    pub somers_d: Estimate,
    /// Kendall's tau-b.
    pub tau_b: Estimate,
}

/// Alignment of depth with the named complexity over the tokens that the filter selects, one table per seed.
/// `max_depth` is the largest depth allowed.
///
/// A complexity that one of the tables lacks gives estimates that are missing with [`Reason::NotApplicable`].
pub fn alignment(
    tables: &[TokenTable],
    complexity: &str,
    filter: Filter,
    max_depth: u32,
    bootstrap: Bootstrap,
) -> Alignment {
    let exact_match = estimate(tables, Quantity::ExactMatch, filter.split, bootstrap);
    let undefined = |reason| Alignment::undefined(complexity, filter, exact_match, reason);
    let seeds = Observed::of_all(tables, complexity, filter)
        .and_then(|observed| observed.into_iter().map(Seed::of).collect::<Result<Vec<_>, _>>());
    match seeds {
        Ok(seeds) => {
            let design = TokenTable::design(tables, filter.split);
            undefined(Reason::Empty).of_seeds(&seeds, &design, max_depth, bootstrap)
        }
        Err(reason) => undefined(reason),
    }
}

/// Alignments with every complexity that the tables define, among all sequences and among those answered rightly.
/// The population of `filter` is ignored.
pub fn alignments(tables: &[TokenTable], filter: Filter, max_depth: u32, bootstrap: Bootstrap) -> Vec<Alignment> {
    let names: BTreeSet<&String> = tables.iter().flat_map(|table| table.columns().complexities.keys()).collect();
    let populations = [Population::All, Population::CorrectOnly];
    names
        .into_iter()
        .flat_map(|name| populations.map(|population| (name, Filter { population, ..filter })))
        .map(|(name, filter)| alignment(tables, name, filter, max_depth, bootstrap))
        .collect()
}

/// The observations of one seed, prepared for resampling.
struct Seed {
    observed: Observed,
    table: CrossTable,
    sizes: Strata,
    partial: PartialRanks,
}

/// Number of statistics that share the resamples.
const STATISTICS: usize = 5;

impl Seed {
    fn of(observed: Observed) -> Result<Self, Reason> {
        let Observed { complexity, depth, size, position, .. } = &observed;
        let table = CrossTable::of(complexity, depth)?;
        let sizes = Strata::of(complexity, depth, size)?;
        let partial = PartialRanks::of(complexity, depth, &[size, position])?;
        Ok(Seed { observed, table, sizes, partial })
    }

    /// Spearman, within size, partial, Somers' D and tau-b, when cluster k occurs `weights[k]` times.
    fn statistics(&self, weights: &[u32]) -> [Result<f64, Reason>; STATISTICS] {
        let weight = |i: usize| self.observed.cluster.get(i).and_then(|&k| weights.get(k)).copied().unwrap_or(0);
        let tally = self.table.tally(weight);
        [
            self.table.spearman(&tally),
            self.sizes.spearman(weight).map(|within| within.value),
            self.partial.correlation(weight),
            self.table.somers_d(&tally),
            self.table.tau_b(&tally),
        ]
    }

    /// What every cluster contributes to the share of tokens that ran to the largest depth.
    fn saturated(&self, max_depth: u32) -> Vec<ClusterSum> {
        let mut sums = vec![ClusterSum::default(); self.observed.clusters];
        for (&depth, &cluster) in self.observed.depth.iter().zip(&self.observed.cluster) {
            sums[cluster].add(f64::from(u8::from(depth >= f64::from(max_depth))));
        }
        sums
    }
}

impl Alignment {
    /// All numbers missing but the share of exact matches.
    fn undefined(complexity: &str, filter: Filter, exact_match: Estimate, reason: Reason) -> Self {
        let missing = Estimate::missing(reason, 0);
        Alignment {
            complexity: complexity.to_owned(),
            filter,
            excluded: 0,
            exact_match,
            saturation: missing,
            spearman: missing,
            within_size: missing,
            sizes: 0,
            undefined_sizes: 0,
            partial: missing,
            somers_d: missing,
            tau_b: missing,
        }
    }

    /// With the numbers that the observations give.
    fn of_seeds(self, seeds: &[Seed], design: &Design, max_depth: u32, bootstrap: Bootstrap) -> Self {
        let count = seeds.iter().map(|seed| seed.observed.depth.len()).sum();
        let mut replicates: [Vec<Option<f64>>; STATISTICS] = Default::default();
        if interval_method(design).is_ok() {
            for_each_resample(design, bootstrap, |draws| {
                for (all, one) in replicates.iter_mut().zip(means(seeds, draws)) {
                    all.push(one.ok());
                }
            });
        }
        let points = means(seeds, &original(design));
        let [spearman, within_size, partial, somers_d, tau_b] = std::array::from_fn(|i| {
            with_interval(Estimate::from_result(points[i], count), &replicates[i], design, bootstrap)
        });
        let saturated: Vec<Vec<ClusterSum>> = seeds.iter().map(|seed| seed.saturated(max_depth)).collect();
        let sizes: Vec<(usize, usize)> = seeds.iter().map(|seed| seed.sizes.counts()).collect();
        Alignment {
            excluded: seeds.iter().map(|seed| seed.observed.excluded).sum(),
            saturation: mean_estimate(&saturated, design, bootstrap),
            spearman,
            within_size,
            sizes: sizes.iter().map(|s| s.0).sum(),
            undefined_sizes: sizes.iter().map(|s| s.1).sum(),
            partial,
            somers_d,
            tau_b,
            ..self
        }
    }
}

/// Means over the drawn seeds of all statistics.
fn means(seeds: &[Seed], draws: &[Draw]) -> [Result<f64, Reason>; STATISTICS] {
    let empty = [Err(Reason::Empty); STATISTICS];
    let of_draws: Vec<_> =
        draws.iter().map(|draw| seeds.get(draw.seed).map_or(empty, |seed| seed.statistics(&draw.weights))).collect();
    std::array::from_fn(|i| {
        let mut values = of_draws.iter().map(|statistics| statistics[i]);
        mean_over_draws(draws, |_, _| values.next().unwrap_or(Err(Reason::Empty)))
    })
}
