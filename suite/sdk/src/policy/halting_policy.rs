//! The one trait that the engine drives.

use candle_core::Tensor;

use super::{Decision, HaltingRule, RowMemory, View};
use crate::error::Result;

/// The methods that this trait shares with the traits of the four kinds.
macro_rules! training_and_cost {
    () => {
        /// Regulariser of each token, `[rows]`. The default [`objective`](Self::objective) averages it over all tokens,
        /// prompt included, and adds it to the loss over answer tokens.
        ///
        /// # Errors
        /// If a tensor operation fails.
        fn regulariser(&self, _record: &$crate::policy::HaltingRecord) -> Result<Option<Tensor>> {
            Ok(None)
        }

        /// What training minimises; by default the loss of the recipe and the [`regulariser`](Self::regulariser).
        ///
        /// # Errors
        /// If a tensor operation fails.
        fn objective(&self, pass: &$crate::policy::TrainingPass) -> Result<$crate::policy::Objective> {
            Ok($crate::policy::Objective { answers: pass.losses.clone(), tokens: self.regulariser(pass.record)? })
        }

        /// Whether [`calibrate`](Self::calibrate) must be called before an evaluation.
        fn needs_calibration(&self) -> bool {
            false
        }

        /// Chooses values on the calibration part, from passes in which every token takes all D steps, and returns
        /// them by name.
        ///
        /// # Errors
        /// If the trace lacks what the choice needs.
        fn calibrate(&mut self, _trace: &$crate::policy::CalibrationTrace) -> Result<$crate::policy::Calibrated> {
            Ok($crate::policy::Calibrated::default())
        }

        /// Whether a decision about a token reads the states of earlier ones, so that it needs the whole sequence up to the
        /// token in one batch. Such a policy is not decoded with a cache, even if it is causal.
        fn reads_earlier_tokens(&self) -> bool {
            false
        }

        /// Floating-point operations of one decision about one token: a number from 0, read when the model is built.
        fn decision_flops(&self, d_model: usize) -> f64;
    };
}
pub(super) use training_and_cost;

/// Forwards the shared methods to the policy inside an adapter.
macro_rules! forward_training_and_cost {
    () => {
        fn regulariser(&self, record: &$crate::policy::HaltingRecord) -> Result<Option<Tensor>> {
            self.0.regulariser(record)
        }

        fn objective(&self, pass: &$crate::policy::TrainingPass) -> Result<$crate::policy::Objective> {
            self.0.objective(pass)
        }

        fn needs_calibration(&self) -> bool {
            self.0.needs_calibration()
        }

        fn calibrate(&mut self, trace: &$crate::policy::CalibrationTrace) -> Result<$crate::policy::Calibrated> {
            self.0.calibrate(trace)
        }

        fn reads_earlier_tokens(&self) -> bool {
            self.0.reads_earlier_tokens()
        }

        fn decision_flops(&self, d_model: usize) -> f64 {
            self.0.decision_flops(d_model)
        }
    };
}
pub(super) use forward_training_and_cost;

/// A halting policy as the engine sees it. Most policies implement the trait of their kind instead
/// ([`EarlyPolicy`](super::EarlyPolicy), [`OnlinePolicy`](super::OnlinePolicy), [`SoftPolicy`](super::SoftPolicy),
/// [`SelectPolicy`](super::SelectPolicy)), and an adapter maps it onto this trait.
pub trait HaltingPolicy: Send + Sync {
    /// Whether [`decide`](Self::decide) is called after `step` of at most `max_depth` steps; 0 is before the first.
    fn is_asked(&self, step: usize, max_depth: usize) -> bool {
        step < max_depth
    }

    /// Decides about the rows of the view, whose states are h(step). These are the running rows, or all rows for a
    /// policy that chooses positions. Before the first step, the view has all rows with h(0).
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision>;

    /// How a distribution over depths becomes a depth in evaluation.
    fn rule(&self) -> HaltingRule {
        HaltingRule::Median
    }

    /// Temperature of the Gumbel-Softmax in training, for a policy that returns logits over depths.
    fn temperature(&self) -> f64 {
        1.0
    }

    training_and_cost!();
}
