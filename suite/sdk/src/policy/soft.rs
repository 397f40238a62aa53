//! Policies whose output is a mixture of the states after several steps.

use candle_core::Tensor;

use super::{HaltingRecord, RowMemory, View};
use crate::error::Result;

/// What a soft policy says about each row after a step.
pub struct SoftDecision {
    /// Weight of the present states in the output, `[rows]`. Over all calls a token's weights sum to one.
    pub weight: Tensor,
    /// Which rows go on to another step; the others are executed no further.
    pub running: Vec<bool>,
    /// What the next step starts from instead of the present states, `[rows, d_model]`.
    pub carry: Option<Tensor>,
}

/// Accumulates weights over steps.
pub trait SoftPolicy: Send + Sync {
    /// Weighs the states of the view; called before the first step (step 0) and after every step, for the rows that
    /// still run. At [`View::is_last`] the remaining weight is due.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision>;

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
