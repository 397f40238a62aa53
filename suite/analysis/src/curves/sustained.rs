//! When a curve has reached a level for good.

use crate::reason::Reason;

/// Index of the first value from which on all values are at least `threshold`. For example: the evaluation after which a
/// size counts as learnt, which orders sizes by when they are. A single good evaluation does not count if a later one is
/// below again.
///
/// `Ok(None)` if the last value is below. [`Reason::Empty`] without values, [`Reason::NotFinite`] if a value or the
/// threshold is infinite or NaN.
pub fn first_sustained(values: &[f64], threshold: f64) -> Result<Option<usize>, Reason> {
    if values.is_empty() {
        return Err(Reason::Empty);
    }
    if !threshold.is_finite() || values.iter().any(|value| !value.is_finite()) {
        return Err(Reason::NotFinite);
    }
    let first = values.iter().rposition(|value| *value < threshold).map_or(0, |last| last + 1);
    Ok((first < values.len()).then_some(first))
}
