//! A number with its interval, or the reason why it is missing.

use serde::{Deserialize, Serialize};

use crate::interval::percentile_interval;
use crate::reason::Reason;

/// What an interval accounts for. Every interval has the level [`crate::LEVEL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// Percentile bootstrap over the sequences of one seed: the error of evaluating finitely many sequences. It
    /// says nothing about another training run.
    BootstrapSequences,
    /// Percentile bootstrap over seeds, then over the sequences of each drawn seed: both errors. With S seeds the
    /// part that is due to seeds comes out too small by a factor of about (S - 1) / S in variance.
    BootstrapSeedsAndSequences,
}

/// A number with an interval of level [`crate::LEVEL`].
///
/// `value` is missing if and only if the number cannot be computed; `low`, `high` and `method` are present together
/// or missing together. `reason` is present if the value is missing, or if an interval was asked for and is missing
/// although the value is there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number, in the units of what is estimated; never infinite or NaN.
    pub value: Option<f64>,
    /// Lower end of the interval.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// How the interval was made.
    pub method: Option<IntervalMethod>,
    /// How many observations the value rests on: tokens or sequences, as the producer of the estimate states.
    pub count: usize,
    /// Why the value is missing or, if the value is there, why the interval is.
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

    /// [`Estimate::point`] or [`Estimate::missing`].
    pub fn from_result(value: Result<f64, Reason>, count: usize) -> Self {
        match value {
            Ok(value) => Estimate::point(value, count),
            Err(reason) => Estimate::missing(reason, count),
        }
    }

    /// Adds the percentile interval of bootstrap replicates, in which `None` marks a resample where the statistic
    /// was undefined (see [`percentile_interval`]). Without replicates, or without a value, nothing changes.
    pub fn with_replicates(self, replicates: &[Option<f64>], method: IntervalMethod) -> Self {
        if replicates.is_empty() || self.value.is_none() {
            return self;
        }
        match percentile_interval(replicates) {
            Ok((low, high)) => {
                Estimate { low: Some(low), high: Some(high), method: Some(method), reason: None, ..self }
            }
            Err(reason) => self.without_interval(reason),
        }
    }

    /// The same value, with the reason why it has no interval. A missing value keeps its own reason.
    pub fn without_interval(self, reason: Reason) -> Self {
        let reason = self.value.map_or(self.reason, |_| Some(reason));
        Estimate { low: None, high: None, method: None, reason, ..self }
    }

    /// Whether the interval is there and does not contain `x`.
    pub fn excludes(&self, x: f64) -> bool {
        matches!((self.low, self.high), (Some(low), Some(high)) if x < low || x > high)
    }
}
