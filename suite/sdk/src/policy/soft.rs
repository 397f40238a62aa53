//! Trait of soft policies, whose output is a mixture of the states after several steps.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Blend, Decision, Halting, HaltingPolicy, Output, RowMemory, View};
use crate::error::Result;

/// Decision of a soft policy about each row after a step.
pub struct SoftDecision {
    /// Weight of the present states in the output, `[rows]`.
    pub weight: Tensor,
    /// Weights of the states that the last step started from: see [`Output::before`].
    pub before: Option<Tensor>,
    /// How weights and states combine into the output.
    pub blend: Blend,
    /// Which rows take another step; the others halt.
    pub running: Vec<bool>,
    /// Scores, one for each row: see [`Decision::scores`].
    pub scores: Option<Vec<f64>>,
    /// States that the next step starts from instead of the present ones, `[rows, d_model]`.
    pub carry: Option<Tensor>,
    /// What the next step's keys and values are projected from: see [`Decision::keys_values`].
    pub keys_values: Option<Tensor>,
}

impl SoftDecision {
    /// Weights of a [mixture](Blend::Mixture), without scores or carried states.
    pub fn new(weight: Tensor, running: Vec<bool>) -> Self {
        Self { weight, before: None, blend: Blend::Mixture, running, scores: None, carry: None, keys_values: None }
    }
}

/// Accumulates weights over steps.
pub trait SoftPolicy: Send + Sync {
    /// Weighs the states of the view; called before the first step (step 0) and after every step, for the rows that
    /// still run. At [`View::is_last`] the remaining weight is due.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision>;

    training_and_cost!();
}

/// A soft policy as the engine sees it.
pub(super) struct Soft<P>(pub P);

impl<P: SoftPolicy> HaltingPolicy for Soft<P> {
    fn is_asked(&self, _: usize, _: usize) -> bool {
        true
    }

    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let SoftDecision { weight, before, blend, running, scores, carry, keys_values } = self.0.weigh(view, memory)?;
        let halting = Halting::Halt(running.iter().map(|running| !running).collect());
        let output = Some(Output { weight, before, blend });
        Ok(Decision { scores, output, carry, keys_values, ..Decision::new(halting) })
    }

    forward_training_and_cost!();
}
