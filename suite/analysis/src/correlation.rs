//! Correlations of two plain slices with one value per observation.
//!
//! Common errors: [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a value is infinite or NaN,
//! [`Reason::Empty`] without observations, [`Reason::TooFew`] below two, and [`Reason::Constant`] if a variable does
//! not vary.

use crate::crosstable::CrossTable;
use crate::partial::PartialRanks;
use crate::reason::Reason;
use crate::strata::{Strata, WithinStratum};

/// Pearson's correlation, in [-1, 1].
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, Reason> {
    if x.len() != y.len() {
        return Err(Reason::Mismatched);
    }
    if x.iter().chain(y).any(|v| !v.is_finite()) {
        return Err(Reason::NotFinite);
    }
    match x.len() {
        0 => return Err(Reason::Empty),
        1 => return Err(Reason::TooFew { needed: 2, found: 1 }),
        _ => {}
    }
    let (x, y) = (unit_deviations(x)?, unit_deviations(y)?);
    Ok(x.iter().zip(&y).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0))
}

/// Deviations from the mean, scaled so that their squares sum to one.
fn unit_deviations(values: &[f64]) -> Result<Vec<f64>, Reason> {
    let first = values.first().copied().ok_or(Reason::Empty)?;
    // An exact comparison, because rounding of the mean must not make a constant look like noise.
    if values.iter().all(|&v| v == first) {
        return Err(Reason::Constant);
    }
    // Halved so that no difference overflows, and shifted by one of the values so that a large offset cancels exactly.
    let shifts: Vec<f64> = values.iter().map(|v| v / 2.0 - first / 2.0).collect();
    let largest = shifts.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
    let mean = shifts.iter().map(|s| s / largest).sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = shifts.iter().map(|s| s / largest - mean).collect();
    let norm = deviations.iter().map(|d| d * d).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        Ok(deviations.iter().map(|d| d / norm).collect())
    } else {
        Err(Reason::Constant)
    }
}

/// Spearman's rank correlation, in [-1, 1]: Pearson's correlation of average ranks.
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, Reason> {
    let table = CrossTable::of(x, y)?;
    table.spearman(&table.tally(|_| 1))
}

/// Kendall's tau-b, in [-1, 1]: (C - D) / sqrt((n0 - n1)(n0 - n2)). Of the n0 pairs, C are concordant and D discordant,
/// n1 are tied in x and n2 in y. O(n log n).
pub fn tau_b(x: &[f64], y: &[f64]) -> Result<f64, Reason> {
    let table = CrossTable::of(x, y)?;
    table.tau_b(&table.tally(|_| 1))
}

/// Somers' D of the depth given the complexity, in [-1, 1]: (C - D) over the pairs that differ in complexity (Somers
/// 1962). Unlike tau-b it does not punish ties in complexity, which some tasks have many of.
///
/// A constant depth gives [`Reason::Constant`], although the formula gives 0.
pub fn somers_d(depth: &[f64], complexity: &[f64]) -> Result<f64, Reason> {
    let table = CrossTable::of(complexity, depth)?;
    table.somers_d(&table.tally(|_| 1))
}

/// Average of Spearman's correlations within the strata, weighted by their numbers of observations.
///
/// The average leaves out strata where the correlation is undefined and states their number. If it is undefined in all,
/// the error is the one that all strata share, or [`Reason::Constant`] if they differ.
pub fn within_stratum_spearman(x: &[f64], y: &[f64], stratum: &[f64]) -> Result<WithinStratum, Reason> {
    Strata::of(x, y, stratum)?.spearman(|_| 1)
}

/// Partial Spearman correlation, in [-1, 1]: Pearson's correlation of residuals. A least-squares fit with intercept on
/// the average ranks of the controls leaves the residuals of the average ranks of x and y.
///
/// Constant or collinear controls are dropped. [`Reason::Constant`] if the controls fully explain x or y;
/// [`Reason::TooFew`] below k + 3 observations for k kept controls.
pub fn partial_spearman(x: &[f64], y: &[f64], controls: &[&[f64]]) -> Result<f64, Reason> {
    PartialRanks::of(x, y, controls, None)?.correlation(|_| 1)
}

/// [`partial_spearman`] with the class of every observation as a further control: one column of zeros and ones per
/// distinct value of `classes`.
///
/// [`Reason::TooFew`] below k + c + 2 observations for k kept controls and c classes.
pub fn partial_spearman_in_classes(x: &[f64], y: &[f64], controls: &[&[f64]], classes: &[f64]) -> Result<f64, Reason> {
    PartialRanks::of(x, y, controls, Some(classes))?.correlation(|_| 1)
}
