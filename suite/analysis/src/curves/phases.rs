//! Rise, then fall: two phases of a curve.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// Fewest points in each phase, the change belonging to both.
const LEAST: usize = 3;

/// The best line with one bend, and whether it makes two phases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Index of the point where the slope changes.
    pub place: usize,
    /// x of this point.
    pub change: f64,
    /// Slope before it, in y per x.
    pub slope_before: f64,
    /// Slope after it.
    pub slope_after: f64,
    /// Change of the fitted line from the first point to the bend.
    pub rise: f64,
    /// Change of the fitted line from the bend to the last point, with the opposite sign: positive if it falls.
    pub fall: f64,
    /// By how much the bend lowers the Bayesian information criterion; positive if it is worth its two parameters, the
    /// place and the slope. Infinite values are cut off at ±1e6.
    pub evidence: f64,
    /// Whether the curve has two phases: `rise` and `fall` are both at least the smallest one that counts, and
    /// `evidence` is above [`Phases::STRONG`].
    pub two: bool,
}

impl Phases {
    /// Evidence that counts as very strong (Kass and Raftery, Journal of the American Statistical Association 90 (1995)
    /// 773-795). The place is searched, which favours bends, so positive evidence alone is not enough. Independent
    /// noise passes in 0.013 of simulations with five points and in 0.0005 with 30 (`tests/curves.rs`); slow drift
    /// passes more often.
    pub const STRONG: f64 = 10.0;
}

/// Looks for two phases as the paper describes them for compute over training (arXiv 2602.08864, figures 4 and 5): it
/// rises first and then falls.
///
/// The rule: of all continuous lines with one bend at one of the points, at least two points from either end, take the
/// one with the smallest sum of squares; of equals, the earliest. There are two phases if it rises and falls by at
/// least `least` each, in units of y, and beats the straight line by more than [`Phases::STRONG`] in the Bayesian
/// information criterion n ln(sum of squares) + parameters × ln n. That accuracy is kept while compute falls is another
/// question, for which the curve of accuracy has to be looked at.
///
/// x has to increase. [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a number is infinite or
/// NaN, [`Reason::OutOfRange`] if x does not increase or `least` is negative, [`Reason::TooFew`] below five points,
/// [`Reason::Constant`] if y is constant.
pub fn phases(x: &[f64], y: &[f64], least: f64) -> Result<Phases, Reason> {
    if x.len() != y.len() {
        return Err(Reason::Mismatched);
    }
    if x.iter().chain(y).chain([&least]).any(|own| !own.is_finite()) {
        return Err(Reason::NotFinite);
    }
    if x.windows(2).any(|pair| pair[1] <= pair[0]) || least < 0.0 {
        return Err(Reason::OutOfRange);
    }
    let number = x.len();
    let needed = 2 * LEAST - 1;
    if number < needed {
        return Err(Reason::TooFew { needed, found: number });
    }
    if y.iter().all(|own| *own == y[0]) {
        return Err(Reason::Constant);
    }
    // Units of x and y do not matter, and squares cannot overflow.
    let range = |values: &[f64]| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        (low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low)
    };
    let ((left, width), (bottom, height)) = (range(x), range(y));
    let scaled =
        |values: &[f64], low: f64, by: f64| -> Vec<f64> { values.iter().map(|own| (own - low) / by).collect() };
    let (u, v) = (scaled(x, left, width), scaled(y, bottom, height));
    let (straight, _) = residual(&u, &v);
    let mut best: Option<(f64, usize, [f64; 3])> = None;
    for place in LEAST - 1..=number - LEAST {
        let (squares, line) = bent(&u, &v, u[place]);
        if best.is_none_or(|(least, ..)| squares < least) {
            best = Some((squares, place, line));
        }
    }
    let Some((squares, place, [_, before, bend])) = best else { return Err(Reason::Empty) };
    let n = number as f64;
    let straight: f64 = straight.iter().map(|own| own * own).sum();
    // Below this, in units of the range of y, a sum of squares is rounding.
    let floor = 1e-20 * n;
    let gain = n * (straight.max(floor) / squares.max(floor)).ln();
    let evidence = (gain - 2.0 * n.ln()).clamp(-1e6, 1e6);
    let after = before + bend;
    let rise = height * before * (u[place] - u[0]);
    let fall = -height * after * (u[number - 1] - u[place]);
    let two = rise >= least && fall >= least && rise > 0.0 && fall > 0.0 && evidence > Phases::STRONG;
    let unit = height / width;
    Ok(Phases {
        place,
        change: x[place],
        slope_before: unit * before,
        slope_after: unit * after,
        rise,
        fall,
        evidence,
        two,
    })
}

/// Residuals and coefficients (level, slope) of the straight line through points.
fn residual(u: &[f64], v: &[f64]) -> (Vec<f64>, [f64; 2]) {
    let n = u.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_u, mean_v) = (mean(u), mean(v));
    let product: f64 = u.iter().zip(v).map(|(u, v)| (u - mean_u) * (v - mean_v)).sum();
    let slope = product / u.iter().map(|u| (u - mean_u).powi(2)).sum::<f64>();
    let left = u.iter().zip(v).map(|(u, v)| v - mean_v - slope * (u - mean_u)).collect();
    (left, [mean_v - slope * mean_u, slope])
}

/// Sum of squares and coefficients (level, slope, change of slope at the bend) of the line with a bend. Level and slope
/// are taken out of the hinge first (Frisch and Waugh 1933).
fn bent(u: &[f64], v: &[f64], bend: f64) -> (f64, [f64; 3]) {
    let hinge: Vec<f64> = u.iter().map(|own| (own - bend).max(0.0)).collect();
    let (hinge_left, [hinge_level, hinge_slope]) = residual(u, &hinge);
    let (left, [level, slope]) = residual(u, v);
    let product: f64 = hinge_left.iter().zip(&left).map(|(a, b)| a * b).sum();
    let change = product / hinge_left.iter().map(|own| own * own).sum::<f64>();
    let squares = left.iter().zip(&hinge_left).map(|(own, hinge)| (own - change * hinge).powi(2)).sum();
    (squares, [level - change * hinge_level, slope - change * hinge_slope, change])
}
