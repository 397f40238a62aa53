//! Policies that decide after every step and never wake a token.

use candle_core::Tensor;

use super::{HaltingRecord, HaltingRule, RowMemory, View};
use crate::error::Result;

/// What an online policy says about each row after a step.
pub enum OnlineDecision {
    /// Logits of the halting probabilities alpha(d), `[rows]`: the engine forms q(d) = r(d-1) alpha(d). In training it
    /// samples by the inverse CDF with a straight-through estimator; in evaluation it applies [`OnlinePolicy::rule`].
    Hazards(Tensor),
    /// Which rows halt now, without a gradient.
    Halt(Vec<bool>),
    /// The same with the number of each row that was compared with a threshold, so that other thresholds can be tried
    /// without another pass. It may be NaN where the row has no such number.
    Scored {
        /// The numbers that were compared, one for each row.
        scores: Vec<f64>,
        /// Which rows halt now.
        halts: Vec<bool>,
    },
}

/// Decides after every step whether a token halts.
pub trait OnlinePolicy: Send + Sync {
    /// Sees all rows before the first step, with the states h(0), so that it may remember them. This is no decision and
    /// charges nothing but a read-out of logits: what a policy computes here belongs into
    /// [`decision_flops`](Self::decision_flops).
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn init(&self, _view: &View, _memory: &mut RowMemory) -> Result<()> {
        Ok(())
    }

    /// Decides for the rows of the view, whose states are h(step); called after every step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision>;

    /// When accumulated halting probability stops a token in evaluation.
    fn rule(&self) -> HaltingRule {
        HaltingRule::Median
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
