//! A number with its interval, or the reason why it is missing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// What an interval accounts for. Every interval has the level [`crate::LEVEL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// Two-way random effects over seeds and the problems that they share: the error of training again and of
    /// evaluating finitely many problems. See [`crate::crossed`].
    RandomEffects,
    /// Student's t over the problems of one seed: the error of evaluating finitely many problems. It says nothing
    /// about another training run.
    ProblemsOnly,
    /// Student's t over one value for each seed.
    SeedsOnly,
    /// Student's t over repeated measurements of one seed. It says nothing about another training run.
    RepetitionsOnly,
    /// The bootstrap over the problems of one seed, BCa or percentile: the error of evaluating finitely many problems. It
    /// says nothing about another training run. See [`crate::resampling`].
    Bootstrap,
    /// All values were equal, but unseen problems may differ: the interval allows for the largest share of differing
    /// problems that the draws can miss (Clopper and Pearson 1934). It says nothing about another training run.
    NoVariation,
}

impl fmt::Display for IntervalMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntervalMethod::RandomEffects => "two-way random effects, seeds and problems",
            IntervalMethod::ProblemsOnly => "t over problems; training is not in it",
            IntervalMethod::SeedsOnly => "t over seeds",
            IntervalMethod::RepetitionsOnly => "t over repetitions; training is not in it",
            IntervalMethod::Bootstrap => "bootstrap over problems; training is not in it",
            IntervalMethod::NoVariation => "Clopper-Pearson; no problem differed from another",
        })
    }
}

/// A number with an interval of level [`crate::LEVEL`].
///
/// `value` is missing if and only if the number cannot be computed; `low`, `high` and `method` are present together or
/// missing together. `reason` is present if the value is missing, or if the value is present and lacks an interval that
/// it could have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number, in the units of the estimated quantity; never infinite or NaN.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// How the interval was made.
    pub method: Option<IntervalMethod>,
    /// Number of observations behind the value: tokens or sequences, as the producer of the estimate states.
    pub count: usize,
    /// Why the value is missing or, if it is present, why the interval is.
    pub reason: Option<Reason>,
}

impl Estimate {
    /// A number that cannot be computed.
    pub fn missing(reason: Reason, count: usize) -> Self {
        Estimate { value: None, low: None, high: None, method: None, count, reason: Some(reason) }
    }

    /// A number without an interval; missing with [`Reason::NotFinite`] if it is infinite or NaN.
    pub fn point(value: f64, count: usize) -> Self {
        if !value.is_finite() {
            return Estimate::missing(Reason::NotFinite, count);
        }
        Estimate { value: Some(value), low: None, high: None, method: None, count, reason: None }
    }

    /// The same value with an interval. A missing value stays missing; infinite or NaN ends give no interval
    /// ([`Reason::NotFinite`]).
    pub fn with_interval(self, (low, high): (f64, f64), method: IntervalMethod) -> Self {
        match self.value {
            Some(_) if low.is_finite() && high.is_finite() => {
                Estimate { low: Some(low), high: Some(high), method: Some(method), reason: None, ..self }
            }
            _ => self.without_interval(Reason::NotFinite),
        }
    }

    /// The same value, with the reason why the interval is missing. A missing value keeps its own reason.
    pub fn without_interval(self, reason: Reason) -> Self {
        let reason = self.value.map_or(self.reason, |_| Some(reason));
        Estimate { low: None, high: None, method: None, reason, ..self }
    }

    /// Whether the interval is present and does not contain `x`.
    pub fn excludes(&self, x: f64) -> bool {
        matches!((self.low, self.high), (Some(low), Some(high)) if x < low || x > high)
    }
}
