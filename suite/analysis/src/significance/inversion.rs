//! The p value of an interval.

use crate::crossed::Crossed;
use crate::reason::Reason;

/// Two-sided p value of the hypothesis that the mean of a table is `null`: 1 minus the largest level whose interval
/// excludes it. It is below 0.05 if and only if the table's own interval excludes `null`. With one seed it is the p
/// value of Student's t test over problems. Below 1e-12 it is 1e-12, which is all that the quantiles resolve; so it is
/// for a table whose interval has no width. A `null` on a bound of the table is never excluded.
///
/// Errors as for [`Crossed::interval`]. [`Reason::NotFinite`] if `null` is infinite or NaN.
pub fn p_value(table: &Crossed, null: f64) -> Result<f64, Reason> {
    if !null.is_finite() {
        return Err(Reason::NotFinite);
    }
    let excludes = |p: f64| table.interval(1.0 - p).map(|((low, high), _)| null < low || null > high);
    if !excludes(1.0)? {
        return Ok(1.0);
    }
    // Intervals shrink as p grows. In the logarithm, 60 halvings determine p to 16 digits, above 1e-12.
    let (mut below, mut above) = (1e-12_f64.ln(), 0.0);
    if excludes(below.exp())? {
        return Ok(below.exp());
    }
    for _ in 0..60 {
        let middle = f64::midpoint(below, above);
        if excludes(middle.exp())? { above = middle } else { below = middle }
    }
    Ok(above.exp())
}
