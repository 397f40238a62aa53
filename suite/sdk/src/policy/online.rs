//! Trait of online policies, which decide after every step and never wake a token.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Decision, Halting, HaltingPolicy, HaltingRule, RowMemory, View};
use crate::error::Result;

/// Decision of an online policy about each row after a step.
pub enum OnlineDecision {
    /// Logits of the halting probabilities, `[rows]`, whose sigmoid the engine takes: see [`Halting::Hazards`].
    HazardLogits(Tensor),
    /// Halting probabilities, with the policy's own halts in evaluation, such as draws.
    Exits {
        /// Logits of the halting probabilities, `[rows]`.
        hazard_logits: Tensor,
        /// Which rows halt now in evaluation.
        halts: Vec<bool>,
    },
    /// Which rows halt now, without a gradient.
    Halt(Vec<bool>),
    /// Which rows halt now, without a gradient, with the scores that were compared with a threshold: see
    /// [`Decision::scores`].
    Scored {
        /// One score for each row.
        scores: Vec<f64>,
        /// Which rows halt now.
        halts: Vec<bool>,
    },
}

/// Decides after every step whether a token halts.
pub trait OnlinePolicy: Send + Sync {
    /// Called before the first step with all rows and h(0), so that the policy can store them. The engine charges only
    /// a read-out of logits here; count all other work in [`decision_flops`](Self::decision_flops).
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn init(&self, _view: &View, _memory: &mut RowMemory) -> Result<()> {
        Ok(())
    }

    /// Decides for the rows of the view, whose states are h(step); called after every step but the last.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision>;

    /// How halting probabilities become a depth in evaluation.
    fn rule(&self) -> HaltingRule {
        HaltingRule::Median
    }

    training_and_cost!();
}

/// An online policy as the engine sees it.
pub(super) struct Online<P>(pub P);

impl<P: OnlinePolicy> HaltingPolicy for Online<P> {
    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        if view.step() == 0 {
            self.0.init(view, memory)?;
            return Ok(Decision::none());
        }
        Ok(match self.0.observe(view, memory)? {
            OnlineDecision::HazardLogits(logits) => Decision::new(Halting::Hazards { logits, halts: None }),
            OnlineDecision::Exits { hazard_logits: logits, halts } => {
                Decision::new(Halting::Hazards { logits, halts: Some(halts) })
            }
            OnlineDecision::Halt(halts) => Decision::new(Halting::Halt(halts)),
            OnlineDecision::Scored { scores, halts } => {
                Decision { scores: Some(scores), ..Decision::new(Halting::Halt(halts)) }
            }
        })
    }

    fn rule(&self) -> HaltingRule {
        self.0.rule()
    }

    forward_training_and_cost!();
}
