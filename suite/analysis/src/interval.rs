//! Quantiles and percentile intervals.

use crate::reason::Reason;

/// Level of every interval of this crate.
pub const LEVEL: f64 = 0.95;

/// Quantile `p` in [0, 1] of values in ascending order, interpolated linearly between order statistics: the value
/// at position p (n - 1), counted from 0 (Hyndman and Fan's type 7, NumPy's default). `None` without values.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let (a, b) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    let t = position - below as f64;
    // Without the test, an infinite neighbour of weight zero would give NaN.
    Some(if t == 0.0 || a == b { a } else { a + t * (b - a) })
}

/// Percentile interval of level [`LEVEL`] of bootstrap replicates: their quantiles 0.025 and 0.975.
///
/// A replicate in which the statistic is undefined (`None`) could have been anything, so it counts against both
/// ends: as minus infinity for the lower and as infinity for the upper one. The interval is wider for it, and is
/// missing with [`Reason::Unstable`] when an end becomes infinite, at about 2.5 % of undefined replicates.
/// Other errors: [`Reason::Empty`], and [`Reason::NotFinite`] for replicates that are infinite or NaN.
pub fn percentile_interval(replicates: &[Option<f64>]) -> Result<(f64, f64), Reason> {
    if replicates.is_empty() {
        return Err(Reason::Empty);
    }
    let mut sorted: Vec<f64> = replicates.iter().copied().flatten().collect();
    if sorted.iter().any(|x| !x.is_finite()) {
        return Err(Reason::NotFinite);
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let undefined = replicates.len() - sorted.len();
    let unstable = Reason::Unstable { undefined, resamples: replicates.len() };
    let tail = (1.0 - LEVEL) / 2.0;
    let end = |side: f64, p: f64| {
        let mut padded: Vec<f64> = sorted.iter().map(|x| side * x).collect();
        padded.resize(replicates.len(), f64::INFINITY);
        padded.sort_unstable_by(f64::total_cmp);
        quantile(&padded, p).map(|x| side * x).filter(|x| x.is_finite()).ok_or(unstable)
    };
    // The lower end is the upper end of the mirrored values.
    Ok((end(-1.0, 1.0 - tail)?, end(1.0, 1.0 - tail)?))
}
