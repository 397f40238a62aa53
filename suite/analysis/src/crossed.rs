//! Tables of seeds by problems, and the interval of their mean.
//!
//! Every seed is evaluated on the same problems, so the two are crossed: all seeds share what is hard about a problem,
//! and it does not average out over them. [`Crossed`] holds one value y per seed and problem of such a complete design;
//! its mean is the estimate.
//!
//! * **Means of tokens** are ratios R of two sums. Their table is linearised: y = R + (sum - R count) / mean count. Its
//!   mean is R exactly (Cochran, Sampling Techniques, 3rd edition, 1977, section 6.3).
//! * **Other statistics** have pseudo-values of the block jackknife: see [`crate::jackknife`].
//! * **Differences**, and other quantities that are linear close to the data, combine tables cell by cell: paired by
//!   seed and problem.
//!
//! # The interval
//!
//! mean ± √(t²(S-1) MSa / (S N) + t²(N-1) max(MSb - MSe, 0) / (S N)), with the mean squares of [`MeanSquares`] and
//! Student's quantiles of S - 1 and N - 1 degrees of freedom. Each part of the variance has the quantile of its own
//! degrees of freedom, as in Banerjee's sum of the variances of several means (Sankhyā 22 (1960) 357-358), where the
//! coverage is never below the level. The usual alternative is one quantile with Satterthwaite's degrees of freedom for
//! the variance (MSa + MSb - MSe) / (S N). If a mean square between two or three seeds comes out small by chance, it
//! takes this as proof that training hardly matters. In simulations (`tests/coverage/means.rs`) it covers the truth in
//! 89 to 91 % of cases with two seeds whose variance matters, even if neither its variance nor its degrees of freedom
//! may fall below the values of one part. The form used here covers it in at least 94.9 %, for units of equal size. The
//! cost: with two seeds that differ no more than chance, the interval is 2.3 times as wide.
//!
//! With one seed the interval is Student's t over problems, and [`IntervalMethod::ProblemsOnly`] says that it leaves
//! out the error of training. Problems of each size were drawn separately; pooling them makes intervals of means a
//! little too wide.
//!
//! # The unit
//!
//! Sequences of one problem are answered alike, in part because they share the problem, and training holds out whole
//! problems. All counts of a problem's sequences therefore form one value. In most tasks every sequence is a problem of
//! its own. If a few problems hold most of the tokens, the degrees of freedom are too many: with the problems of
//! `quick`, where four of 48 hold half of the answers, intervals cover the truth in 90 to 97 % of simulations.

use crate::estimate::{Estimate, IntervalMethod};
use crate::interval::{LEVEL, none_of, student_t};
use crate::mean_squares::MeanSquares;
use crate::means::ClusterSum;
use crate::reason::Reason;

/// Smaller deviations are rounding: relative to the mean, and absolute for shares and correlations.
const ROUNDING: f64 = 1e-12;

/// A complete table of seeds by units, where a unit is a problem or a block of problems. Its mean is the estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossed {
    /// Ids of the units, ascending.
    units: Vec<u64>,
    /// Per seed, one value per unit.
    values: Vec<Vec<f64>>,
    mean: f64,
    count: usize,
    /// Number of problems in all units.
    problems: usize,
    bounds: (f64, f64),
    /// Why there is no interval although there is a value.
    flaw: Option<Reason>,
}

impl Crossed {
    /// A table from one value per seed and unit. `count` is the number of observations behind the values, `problems`
    /// the number of problems behind the units.
    ///
    /// [`Reason::Empty`] without seeds or units, [`Reason::Mismatched`] if a seed does not have one value per unit,
    /// [`Reason::NotFinite`] if a value is infinite or NaN.
    pub fn of_values(units: Vec<u64>, values: Vec<Vec<f64>>, count: usize, problems: usize) -> Result<Self, Reason> {
        if units.is_empty() || values.is_empty() {
            return Err(Reason::Empty);
        }
        if values.iter().any(|seed| seed.len() != units.len()) {
            return Err(Reason::Mismatched);
        }
        if values.iter().flatten().any(|value| !value.is_finite()) {
            return Err(Reason::NotFinite);
        }
        let mean = values.iter().flatten().sum::<f64>() / (units.len() * values.len()) as f64;
        let bounds = (f64::NEG_INFINITY, f64::INFINITY);
        Ok(Crossed { units, values, mean, count, problems, bounds, flaw: None })
    }

    /// The ratio of sums over all seeds and problems, linearised; with counts of observations, their mean. Its `count`
    /// is the sum of counts. Problem k of every seed has the id `problems[k]`; problems that are empty in all seeds are
    /// left out.
    ///
    /// [`Reason::Empty`] if nothing is counted, [`Reason::Mismatched`] if a seed does not have one sum per problem,
    /// [`Reason::NotFinite`] if a sum is infinite or NaN.
    pub fn of_sums(problems: &[u64], sums: &[Vec<ClusterSum>]) -> Result<Self, Reason> {
        if sums.iter().any(|seed| seed.len() != problems.len()) {
            return Err(Reason::Mismatched);
        }
        let kept: Vec<usize> = (0..problems.len()).filter(|&k| sums.iter().any(|seed| seed[k].count > 0.0)).collect();
        let (mut sum, mut count) = (0.0, 0.0);
        for cell in sums.iter().flat_map(|seed| kept.iter().map(|&k| seed[k])) {
            sum += cell.sum;
            count += cell.count;
        }
        if kept.is_empty() {
            return Err(Reason::Empty);
        }
        let ratio = sum / count;
        let mean_count = count / (kept.len() * sums.len()) as f64;
        let linearised = |cell: ClusterSum| ratio + (cell.sum - ratio * cell.count) / mean_count;
        let values = sums.iter().map(|seed| kept.iter().map(|&k| linearised(seed[k])).collect()).collect();
        let units = kept.iter().map(|&k| problems[k]).collect();
        let table = Crossed::of_values(units, values, count.round() as usize, kept.len())?;
        Ok(Crossed { mean: ratio, ..table })
    }

    /// The same table with bounds for its mean and for the value of any problem: 0 and 1 for a share, -1 and 1 for a
    /// correlation. Intervals stay within the bounds.
    pub fn within(self, low: f64, high: f64) -> Self {
        Crossed { bounds: (low, high), ..self }
    }

    /// The same table with another number of observations.
    pub fn with_count(self, count: usize) -> Self {
        Crossed { count, ..self }
    }

    /// The same table, with a value but without an interval.
    pub(crate) fn flawed(self, reason: Reason) -> Self {
        Crossed { flaw: Some(reason), ..self }
    }

    /// `constant` plus a weighted sum of tables, cell by cell; `count` is the number of problems.
    ///
    /// [`Reason::Empty`] without tables, [`Reason::MissingCells`] if they differ in units or in the number of seeds.
    pub fn combination(constant: f64, terms: &[(f64, &Crossed)]) -> Result<Self, Reason> {
        let (_, first) = terms.first().ok_or(Reason::Empty)?;
        if terms.iter().any(|(_, table)| table.units != first.units || table.values.len() != first.values.len()) {
            return Err(Reason::MissingCells);
        }
        let mut values = vec![vec![constant; first.units.len()]; first.values.len()];
        let (mut mean, mut bounds) = (constant, (constant, constant));
        for &(weight, table) in terms.iter().filter(|(weight, _)| *weight != 0.0) {
            for (sums, seed) in values.iter_mut().zip(&table.values) {
                sums.iter_mut().zip(seed).for_each(|(sum, value)| *sum += weight * value);
            }
            mean += weight * table.mean;
            let ends = (weight * table.bounds.0, weight * table.bounds.1);
            bounds = (bounds.0 + ends.0.min(ends.1), bounds.1 + ends.0.max(ends.1));
        }
        let flaw = terms.iter().find_map(|(_, table)| table.flaw);
        let table = Crossed::of_values(first.units.clone(), values, first.problems, first.problems)?;
        Ok(Crossed { mean, bounds, flaw, ..table })
    }

    /// This table minus another one, cell by cell. [`Reason::MissingCells`] if they differ in units or seeds.
    pub fn minus(&self, other: &Crossed) -> Result<Self, Reason> {
        Crossed::combination(0.0, &[(1.0, self), (-1.0, other)])
    }

    /// The table with its sign changed.
    pub fn negated(self) -> Self {
        Crossed {
            values: self.values.into_iter().map(|seed| seed.into_iter().map(|value| -value).collect()).collect(),
            mean: -self.mean,
            bounds: (-self.bounds.1, -self.bounds.0),
            ..self
        }
    }

    /// The same estimate over more units, ascending. New units have the mean, and deviations are scaled up to preserve
    /// the variance of the mean.
    pub fn over(&self, units: &[u64]) -> Self {
        let scale = units.len() as f64 / self.units.len() as f64;
        let value = |seed: &Vec<f64>, unit: &u64| match self.units.binary_search(unit) {
            Ok(place) => self.mean + scale * (seed[place] - self.mean),
            Err(_) => self.mean,
        };
        let values = self.values.iter().map(|seed| units.iter().map(|unit| value(seed, unit)).collect()).collect();
        Crossed { units: units.to_vec(), values, problems: units.len(), ..self.clone() }
    }

    /// Ids of the units, ascending.
    pub fn units(&self) -> &[u64] {
        &self.units
    }

    /// Per seed, the values of all units.
    pub fn values(&self) -> &[Vec<f64>] {
        &self.values
    }

    /// Number of seeds.
    pub fn seeds(&self) -> usize {
        self.values.len()
    }

    /// The mean, which is the estimate.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Number of observations.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean with its interval of level [`LEVEL`].
    pub fn estimate(&self) -> Estimate {
        let point = Estimate::point(self.mean, self.count);
        match self.interval(LEVEL) {
            Ok((interval, method)) => point.with_interval(interval, method),
            Err(reason) => point.without_interval(reason),
        }
    }

    /// The interval of a level, and what it accounts for; see [the module](self). [`Reason::TooFew`] below two units;
    /// [`Reason::Unstable`] for a jackknife that failed.
    ///
    /// If all n values of a bounded table are equal, unseen problems may still differ. Let p be the largest share of
    /// differing problems that n draws can miss ([`none_of`]): the interval reaches p times the distance to each bound.
    /// An unbounded table, such as the depth of a fixed depth, gets an interval of width 0.
    pub fn interval(&self, level: f64) -> Result<((f64, f64), IntervalMethod), Reason> {
        if let Some(reason) = self.flaw {
            return Err(reason);
        }
        let found = self.units.len();
        let squares = MeanSquares::of(&self.values).ok_or(Reason::TooFew { needed: 2, found })?;
        let seeds = self.seeds();
        let method = if seeds == 1 { IntervalMethod::ProblemsOnly } else { IntervalMethod::RandomEffects };
        let (mean, (low, high)) = (self.mean, self.bounds);
        if self.is_constant() {
            if !low.is_finite() || !high.is_finite() {
                return Ok(((mean, mean), method));
            }
            let share = none_of(self.problems, level);
            let ends = (mean - share * (mean - low), mean + share * (high - mean));
            return Ok(((ends.0.min(mean), ends.1.max(mean)), IntervalMethod::NoVariation));
        }
        let part = |df: usize, variance: f64| {
            // Without variance, the infinite quantile of zero degrees of freedom has no effect.
            if variance > 0.0 { student_t(level, df).powi(2) * variance } else { 0.0 }
        };
        let width =
            (part(seeds - 1, squares.variance_of_seeds()) + part(found - 1, squares.variance_of_problems())).sqrt();
        Ok((((mean - width).max(low.min(mean)), (mean + width).min(high.max(mean))), method))
    }

    /// Whether all values equal the mean up to rounding.
    fn is_constant(&self) -> bool {
        let unit = if self.bounds.0.is_finite() { self.mean.abs().max(1.0) } else { self.mean.abs() };
        self.values.iter().flatten().all(|value| (value - self.mean).abs() <= ROUNDING * unit)
    }
}

/// The mean of one value per seed with Student's t interval over seeds. [`Reason::Empty`] without values; with one
/// seed, the interval is missing ([`Reason::TooFew`]).
pub fn over_seeds(values: &[f64], count: usize) -> Estimate {
    student(values, count, IntervalMethod::SeedsOnly)
}

/// The mean of repeated measurements of one seed with Student's t interval over them. Errors as for [`over_seeds`].
pub fn over_repetitions(values: &[f64]) -> Estimate {
    student(values, values.len(), IntervalMethod::RepetitionsOnly)
}

fn student(values: &[f64], count: usize, method: IntervalMethod) -> Estimate {
    if values.is_empty() {
        return Estimate::missing(Reason::Empty, count);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let point = Estimate::point(mean, count);
    if values.len() < 2 {
        return point.without_interval(Reason::TooFew { needed: 2, found: values.len() });
    }
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0) / n;
    let width = student_t(LEVEL, values.len() - 1) * variance.sqrt();
    point.with_interval((mean - width, mean + width), method)
}
