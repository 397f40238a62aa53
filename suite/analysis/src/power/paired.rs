//! Power of a paired comparison over seeds.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Chi, Continuous, ContinuousCDF, Normal};

use crate::crossed::Crossed;
use crate::interval::{LEVEL, student_t};
use crate::mean_squares::MeanSquares;
use crate::reason::Reason;

/// Most seeds that are considered.
const MOST_SEEDS: usize = 100_000;

/// Intervals of the numerical average, an even number.
const INTERVALS: usize = 2000;

/// The variances of a paired difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDesign {
    /// Variance between the differences of single seeds, the noise of their evaluation included.
    pub between_seeds: f64,
    /// Variance of the mean difference that comes from the problems and is shared by all seeds.
    pub from_problems: f64,
    /// Number of problems; ignored if `from_problems` is 0.
    pub problems: usize,
}

impl PairedDesign {
    /// The design with the variances of a table of differences, such as [`Crossed::minus`] returns. With few seeds its
    /// variance between seeds is itself uncertain: with three, it is off by a factor of two in most cases.
    ///
    /// [`Reason::TooFew`] with one seed or one problem.
    pub fn of(differences: &Crossed) -> Result<Self, Reason> {
        let problems = differences.units().len();
        let few = |found: usize| Reason::TooFew { needed: 2, found };
        let squares = MeanSquares::of(differences.values()).ok_or(few(problems))?;
        if squares.seeds < 2 {
            return Err(few(squares.seeds));
        }
        let between_seeds = squares.variance_of_seeds() * squares.seeds as f64;
        Ok(PairedDesign { between_seeds, from_problems: squares.variance_of_problems(), problems })
    }

    /// Probability that a true difference is called real with this many seeds, at [`LEVEL`], in either direction.
    ///
    /// [`Reason::TooFew`] below two seeds, or two problems if they vary; [`Reason::NotFinite`] if a number is infinite or
    /// NaN, [`Reason::OutOfRange`] if a variance is negative, [`Reason::Constant`] if both are 0.
    pub fn power(&self, difference: f64, seeds: usize) -> Result<f64, Reason> {
        self.check(difference, seeds)?;
        let normal = Normal::standard();
        let of_mean = self.between_seeds / seeds as f64;
        let deviation = (of_mean + self.from_problems).sqrt();
        let threshold =
            |variance: f64, df: usize| if variance > 0.0 { student_t(LEVEL, df).powi(2) * variance } else { 0.0 };
        let (from_seeds, fixed) = (threshold(of_mean, seeds - 1), threshold(self.from_problems, self.problems - 1));
        // If the estimated variance between seeds is `ratio`² times the true one.
        let detects = |ratio: f64| {
            let width = (from_seeds * ratio * ratio + fixed).sqrt();
            normal.cdf((difference - width) / deviation) + normal.cdf((-difference - width) / deviation)
        };
        if of_mean == 0.0 {
            return Ok(detects(0.0));
        }
        Ok(average_over_chi(seeds - 1, detects))
    }

    /// The smallest difference that this many seeds detect with probability `power`. Errors as for
    /// [`PairedDesign::power`]; [`Reason::OutOfRange`] unless `power` is between 1 - [`LEVEL`] and 1.
    pub fn smallest_difference(&self, seeds: usize, power: f64) -> Result<f64, Reason> {
        self.check(0.0, seeds)?;
        check_power(power)?;
        let unit = (self.between_seeds / seeds as f64 + self.from_problems).sqrt();
        let (mut below, mut above) = (0.0, unit);
        while self.power(above, seeds)? < power {
            (below, above) = (above, 2.0 * above);
        }
        for _ in 0..50 {
            let middle = f64::midpoint(below, above);
            if self.power(middle, seeds)? < power { below = middle } else { above = middle }
        }
        Ok(above)
    }

    /// The least number of seeds that detect a difference with probability `power`. Errors as for
    /// [`PairedDesign::smallest_difference`]; [`Reason::OutOfRange`] for a difference of 0; [`Reason::TooFew`] if no
    /// number of seeds does, because more problems are needed; [`Reason::TooMany`] beyond 100,000.
    pub fn seeds_needed(&self, difference: f64, power: f64) -> Result<usize, Reason> {
        self.check(difference, 2)?;
        check_power(power)?;
        if difference == 0.0 {
            return Err(Reason::OutOfRange);
        }
        let endless = PairedDesign { between_seeds: 0.0, ..*self };
        if self.from_problems > 0.0 && endless.power(difference, 2)? < power {
            return Err(Reason::TooFew { needed: self.problems + 1, found: self.problems });
        }
        let detects = |seeds: usize| Ok::<bool, Reason>(self.power(difference, seeds)? >= power);
        let (mut below, mut above) = (1, 2);
        while !detects(above)? {
            if above >= MOST_SEEDS {
                return Err(Reason::TooMany { limit: MOST_SEEDS, found: above });
            }
            (below, above) = (above, (2 * above).min(MOST_SEEDS));
        }
        while above - below > 1 {
            let middle = usize::midpoint(below, above);
            if detects(middle)? { above = middle } else { below = middle }
        }
        Ok(above)
    }

    fn check(&self, difference: f64, seeds: usize) -> Result<(), Reason> {
        let variances = [self.between_seeds, self.from_problems];
        if !difference.is_finite() || variances.iter().any(|own| !own.is_finite()) {
            return Err(Reason::NotFinite);
        }
        if variances.iter().any(|own| *own < 0.0) {
            return Err(Reason::OutOfRange);
        }
        if variances.iter().all(|own| *own == 0.0) {
            return Err(Reason::Constant);
        }
        if seeds < 2 {
            return Err(Reason::TooFew { needed: 2, found: seeds });
        }
        if self.from_problems > 0.0 && self.problems < 2 {
            return Err(Reason::TooFew { needed: 2, found: self.problems });
        }
        Ok(())
    }
}

fn check_power(power: f64) -> Result<(), Reason> {
    if power > 1.0 - LEVEL && power < 1.0 { Ok(()) } else { Err(Reason::OutOfRange) }
}

/// Mean of a function of the ratio of an estimated standard deviation to the true one: chi with `df` degrees of freedom
/// over √df. Simpson's rule over all ratios that matter.
fn average_over_chi(df: usize, of_ratio: impl Fn(f64) -> f64) -> f64 {
    let Ok(chi) = Chi::new(df as u64) else { return f64::NAN };
    let root = (df as f64).sqrt();
    // Nine standard deviations of a normal variable; chi has at most the spread 1 around a mean close to √df.
    let (low, high) = ((root - 9.0).max(0.0), root + 9.0);
    let step = (high - low) / INTERVALS as f64;
    let value = |place: usize| {
        let own = low + step * place as f64;
        let density = chi.pdf(own);
        if density > 0.0 { density * of_ratio(own / root) } else { 0.0 }
    };
    let inner: f64 = (1..INTERVALS).map(|place| if place % 2 == 1 { 4.0 } else { 2.0 } * value(place)).sum();
    // The density of one degree of freedom does not vanish at 0.
    let first = if df == 1 { (2.0 / std::f64::consts::PI).sqrt() * of_ratio(0.0) } else { value(0) };
    (step / 3.0 * (first + inner + value(INTERVALS))).clamp(0.0, 1.0)
}
