//! Policies that decide once, before the first step.

use candle_core::Tensor;

use super::{HaltingRecord, HaltingRule, View};
use crate::error::Result;

/// What an early policy says about each row.
pub enum EarlyDecision {
    /// Unnormalised log-probabilities over the depths 1..=D, `[rows, D]`. In training the engine samples from them
    /// with a straight-through Gumbel-Softmax; in evaluation it applies [`EarlyPolicy::rule`].
    Scores(Tensor),
    /// Depths, one for each row, without a gradient.
    Depths(Vec<u32>),
}

/// Decides the depth of every token from h(0).
pub trait EarlyPolicy: Send + Sync {
    /// Decides for all rows of the view, whose states are h(0).
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn decide(&self, view: &View) -> Result<EarlyDecision>;

    /// How a distribution over depths becomes a depth in evaluation.
    fn rule(&self) -> HaltingRule {
        HaltingRule::Mode
    }

    /// Temperature of the Gumbel-Softmax in training.
    fn temperature(&self) -> f64 {
        1.0
    }

    /// Cost per token `[rows]` that training adds to the loss.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn regulariser(&self, _record: &HaltingRecord) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Floating-point operations of one decision about one token.
    fn decision_flops(&self, d_model: usize) -> f64;
}
