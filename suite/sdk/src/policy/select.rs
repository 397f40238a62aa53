//! Policies that choose, before every step, which positions take part; a token may rest and be woken again.

use candle_core::Tensor;

use super::{HaltingRecord, RowMemory, View};
use crate::error::Result;

/// How the result R(h) of a step joins a chosen row's state h under a gate g.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// h + g (R(h) - h): the gate scales the step's residual.
    Residual,
    /// h + g R(h): the step's whole result is added.
    Added,
}

/// Which rows take part in a step.
pub struct Selection {
    /// Whether each row of the view takes part.
    pub chosen: Vec<bool>,
    /// Gate of each row of the view, `[rows]`; 1 where not given.
    pub gate: Option<Tensor>,
    /// How the step's result joins the state.
    pub combine: Combine,
}

/// Chooses positions per step.
pub trait SelectPolicy: Send + Sync {
    /// Chooses among all rows of the view before step `view.step() + 1`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn select(&self, view: &View, memory: &mut RowMemory) -> Result<Selection>;

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
