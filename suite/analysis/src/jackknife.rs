//! Tables of statistics that are not means, such as rank correlations.
//!
//! The statistic is computed for each seed and averaged over the seeds. Its table has pseudo-values of the
//! delete-a-group jackknife (Quenouille 1956; Tukey 1958; Kott, Journal of Official Statistics 17 (2001) 521-526): with
//! B blocks of problems, block b of a seed has B θ - (B - 1) θ without b. They are shifted so that their mean is θ
//! itself: the jackknife's bias correction is not applied.
//!
//! All seeds share the blocks, so the table is crossed like a table of means. Policies evaluated on the same problems
//! share the blocks too, so their tables can be subtracted.

use crate::crossed::Crossed;
use crate::reason::Reason;

/// Largest number of blocks. Enough for 49 degrees of freedom, where the quantile of t is 2.5 % above the normal one.
const BLOCKS: usize = 50;

/// Blocks of nearly equal numbers of problems. Problem k is in block k modulo the number of blocks, so that every block
/// has problems of all sizes if neighbours have the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    problems: usize,
}

impl Blocks {
    /// Blocks for this many problems: 50, or one per problem if there are fewer.
    pub fn of(problems: usize) -> Self {
        Blocks { problems }
    }

    /// Number of blocks.
    pub fn count(self) -> usize {
        self.problems.min(BLOCKS)
    }

    /// The block of a problem, given its index among all problems.
    pub fn block(self, problem: usize) -> usize {
        problem % self.count().max(1)
    }
}

/// The table for a statistic averaged over seeds. `statistic(seed, Some(b))` leaves out the problems of block b,
/// `statistic(seed, None)` uses all. `count` is the number of observations.
///
/// The mean is undefined if it is undefined for one seed: leaving that seed out would be a silent skip. If leaving out
/// a block makes the statistic undefined, the table has a value but no interval ([`Reason::Unstable`]).
/// [`Reason::Empty`] without seeds or problems.
pub fn jackknife(
    seeds: usize,
    blocks: Blocks,
    count: usize,
    mut statistic: impl FnMut(usize, Option<usize>) -> Result<f64, Reason>,
) -> Result<Crossed, Reason> {
    let number = blocks.count();
    let mut values = Vec::with_capacity(seeds);
    let mut undefined = 0;
    for seed in 0..seeds {
        let whole = statistic(seed, None)?;
        let without: Vec<Option<f64>> = match number {
            // Without the only block nothing remains: there is a value but no interval.
            1 => vec![Some(whole)],
            _ => (0..number).map(|block| statistic(seed, Some(block)).ok()).collect(),
        };
        undefined += without.iter().filter(|value| value.is_none()).count();
        let defined: Vec<f64> = without.iter().map(|value| value.unwrap_or(whole)).collect();
        let mean = defined.iter().sum::<f64>() / number.max(1) as f64;
        let scale = number as f64 - 1.0;
        values.push(defined.iter().map(|value| whole - scale * (value - mean)).collect());
    }
    let units = (0..number as u64).collect();
    let table = Crossed::of_values(units, values, count, blocks.problems)?;
    Ok(if undefined > 0 { table.flawed(Reason::Unstable { undefined, blocks: seeds * number }) } else { table })
}
