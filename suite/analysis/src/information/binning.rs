//! Bins of a continuous variable.

use crate::ranks::average_ranks;
use crate::reason::Reason;

/// Index of each value's bin, from 0, as a number: bins of nearly equal counts. Equal values share a bin, the one of
/// their average rank, so with many ties some bins stay empty.
///
/// [`Reason::NotFinite`] if a value is infinite or NaN, [`Reason::TooFew`] without bins.
pub fn equal_mass_bins(values: &[f64], bins: usize) -> Result<Vec<f64>, Reason> {
    if bins == 0 {
        return Err(Reason::TooFew { needed: 1, found: 0 });
    }
    let number = values.len() as f64;
    let bin = |rank: f64| ((rank - 0.5) * bins as f64 / number).floor().min(bins as f64 - 1.0);
    Ok(average_ranks(values)?.into_iter().map(bin).collect())
}
