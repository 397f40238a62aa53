//! Intervals of regression statistics.

use super::reduction::Regression;
use crate::crossed::Crossed;
use crate::jackknife::jackknife;
use crate::reason::Reason;

/// The table of a statistic over seeds and parts of the clusters, from regressions of one seed each: see
/// [`crate::jackknife`]. `statistic` may be any function of a regression, such as `|r| r.r_squared()`.
///
/// R² and Shapley shares are covered in 0.93 to 0.96 of simulations with 200 sequences or more. A ΔR² close to 0 has a
/// skewed error, and its interval covers in as few as 0.87 (`tests/coverage/regression.rs`).
///
/// [`Reason::Empty`] without regressions, [`Reason::MissingCells`] if their clusters were divided into other parts.
pub fn jackknifed(
    seeds: &[Regression],
    statistic: impl Fn(&Regression) -> Result<f64, Reason>,
) -> Result<Crossed, Reason> {
    let division = seeds.first().ok_or(Reason::Empty)?.division();
    if seeds.iter().any(|regression| regression.division() != division) {
        return Err(Reason::MissingCells);
    }
    let rows = seeds.iter().map(Regression::rows).sum();
    jackknife(seeds.len(), division.blocks(), rows, |seed, without| match without {
        None => statistic(&seeds[seed]),
        Some(part) => statistic(&seeds[seed].without_part(part)),
    })
}
