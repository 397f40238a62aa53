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
    /// Percentile bootstrap over seeds and, crossed with them, over sequences: both errors. The part of the variance
    /// that is due to sequences is right, and that which is due to neither alone comes out up to three times too large
    /// (Owen 2007). With S seeds the part that is due to seeds comes out too small by a factor of about (S - 1) / S.
    BootstrapSeedsAndSequences,
}

/// How much a number may differ by rounding: relative to it, and where a difference has cancelled.
fn rounding(value: f64) -> f64 {
    (1e-12 * value.abs()).max(1e-15)
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
    /// was undefined (see [`percentile_interval`]). Without replicates, or without a value, nothing changes. An end
    /// that differs from the value by rounding alone is the value: sums in another order must not put the value outside
    /// of its own interval.
    pub fn with_replicates(self, replicates: &[Option<f64>], method: IntervalMethod) -> Self {
        let Some(value) = self.value.filter(|_| !replicates.is_empty()) else {
            return self;
        };
        let settled = |end: f64| if (end - value).abs() <= rounding(value) { value } else { end };
        match percentile_interval(replicates) {
            Ok((low, high)) => Estimate {
                low: Some(settled(low)),
                high: Some(settled(high)),
                method: Some(method),
                reason: None,
                ..self
            },
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
