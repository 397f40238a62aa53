//! Quantiles for intervals.

use std::f64::consts::{FRAC_PI_2, PI};

/// Level of every interval of this crate.
pub const LEVEL: f64 = 0.95;

/// Half-width, in standard errors, of the two-sided Student's t interval of a level with `df` degrees of freedom: |t|
/// exceeds it with probability 1 - `level`. Infinite without degrees of freedom.
///
/// The probability is the finite sum over the angle atan(t / √df) of Abramowitz and Stegun, Handbook of Mathematical
/// Functions, 26.7.3 and 26.7.4, inverted by bisection over this angle, which is bounded while t is not.
pub fn student_t(level: f64, df: usize) -> f64 {
    if df == 0 {
        return f64::INFINITY;
    }
    let (mut below, mut above) = (0.0, FRAC_PI_2);
    // Each halving determines one binary digit of the angle.
    for _ in 0..64 {
        let middle = (below + above) / 2.0;
        if within(middle, df) < level { below = middle } else { above = middle }
    }
    let angle = (below + above) / 2.0;
    (df as f64).sqrt() * angle.tan()
}

/// Probability that |t| is below √df tan(angle).
fn within(angle: f64, df: usize) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let square = cosine * cosine;
    if df % 2 == 1 {
        let (mut term, mut sum) = (cosine, 0.0);
        for k in (3..=df).step_by(2) {
            sum += term;
            term *= square * (k - 1) as f64 / k as f64;
        }
        2.0 / PI * (angle + sine * sum)
    } else {
        let (mut term, mut sum) = (1.0, 0.0);
        for k in (2..=df).step_by(2) {
            sum += term;
            term *= square * (k - 1) as f64 / k as f64;
        }
        sine * sum
    }
}

/// Upper end of the two-sided interval of a level for a probability if no trial of `trials` succeeded: 1 -
/// (α/2)^(1/trials) (Clopper and Pearson, Biometrika 26 (1934) 404-413). At 95 % it is about 3.7 / trials.
pub fn none_of(trials: usize, level: f64) -> f64 {
    if trials == 0 { 1.0 } else { 1.0 - ((1.0 - level) / 2.0).powf(1.0 / trials as f64) }
}

/// The level of each of several intervals that makes them hold simultaneously with probability at least `level`: its
/// `number`-th root (Šidák, Journal of the American Statistical Association 62 (1967) 626-633).
pub fn each_of(number: usize, level: f64) -> f64 {
    if number < 2 { level } else { level.powf(1.0 / number as f64) }
}
