//! Trait of early policies, which decide once, before the first step.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Decision, Halting, HaltingPolicy, HaltingRule, RowMemory, View};
use crate::error::Result;

/// Decision of an early policy about each row.
pub enum EarlyDecision {
    /// Logits over the depths 1..=D (unnormalised log-probabilities), `[rows, D]`: see [`Halting::Logits`].
    Logits(Tensor),
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

    training_and_cost!();
}

/// An early policy as the engine sees it.
pub(super) struct Early<P>(pub P);

impl<P: EarlyPolicy> HaltingPolicy for Early<P> {
    fn is_asked(&self, step: usize, _: usize) -> bool {
        step == 0
    }

    fn decide(&self, view: &View, _: &mut RowMemory) -> Result<Decision> {
        Ok(Decision::new(match self.0.decide(view)? {
            EarlyDecision::Logits(logits) => Halting::Logits(logits),
            EarlyDecision::Depths(depths) => Halting::Depths(depths),
        }))
    }

    fn rule(&self) -> HaltingRule {
        self.0.rule()
    }

    fn temperature(&self) -> f64 {
        self.0.temperature()
    }

    forward_training_and_cost!();
}
