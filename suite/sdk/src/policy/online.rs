//! The face of policies that decide after every step and never wake a token.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Decision, Halting, HaltingPolicy, HaltingRule, RowMemory, View};
use crate::error::Result;

/// What an online policy says about each row after a step.
pub enum OnlineDecision {
    /// Logits of the halting probabilities, `[rows]`: see [`Halting::Hazards`].
    Hazards(Tensor),
    /// The same with exits of the policy's own in evaluation, such as draws.
    Exits {
        /// Logits of the halting probabilities, `[rows]`.
        hazards: Tensor,
        /// Which rows halt now in evaluation.
        halts: Vec<bool>,
    },
    /// Which rows halt now, without a gradient.
    Halt(Vec<bool>),
    /// The same with the number of each row that was compared with a threshold: see [`Decision::scores`].
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

    /// Decides for the rows of the view, whose states are h(step); called after every step but the last.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision>;

    /// When accumulated halting probability stops a token in evaluation.
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
            OnlineDecision::Hazards(logits) => Decision::new(Halting::Hazards { logits, halts: None }),
            OnlineDecision::Exits { hazards: logits, halts } => {
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
