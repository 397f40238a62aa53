//! The contract of a halting policy: when may a token stop iterating?
//!
//! The engine owns the loop, the depth counter, the masks and the cost ledger; it drives one trait, [`HaltingPolicy`]. A
//! decision sees hidden states and, on request, logits. It cannot reach labels.
//!
//! Most policies implement the trait of their kind, which an adapter maps onto that trait:
//!
//! | kind | decides | trait |
//! |---|---|---|
//! | early | once, from h(0) | [`EarlyPolicy`] |
//! | online | after each step, never wakes a token | [`OnlinePolicy`] |
//! | soft | accumulates weights; the output is a mixture over steps | [`SoftPolicy`] |
//! | select | per step, some of the positions; may wake a token | [`SelectPolicy`] |
//!
//! Besides deciding, a policy may:
//!
//! * store a tensor of its rows from step to step, such as h(0) ([`RowMemory::replace`]);
//! * return its scores, the numbers that it compares with a threshold ([`OnlineDecision::Scored`]), for `haltbench
//!   replay` and calibration;
//! * define its own objective ([`HaltingPolicy::objective`]) from the losses, predictions and states of every step and
//!   from tensors that it [stashed](RowMemory::stash) while deciding; labels reach objectives, never decisions;
//! * choose thresholds on the calibration part ([`HaltingPolicy::calibrate`]).
//!
//! A policy is one file: a struct, one of the four traits, a declaration and one line that registers it. This online
//! policy halts a token once its state has stopped moving:
//!
//! ```
//! use haltbench_sdk::prelude::*;
//!
//! const DECLARATION: PolicyDeclaration = PolicyDeclaration {
//!     summary: "Halts a token once its state moves by less than a share of its norm.",
//!     documentation: "## What it computes\n\nThe relative step |h(d) - h(d-1)| / |h(d)|.\n\n\
//!                     ## When it halts\n\nAt the first step whose relative step is below `threshold`.",
//!     reference: "Geiping et al. 2025, arXiv 2502.05171, latent difference",
//!     recipe: Recipe::LAST_STEP,
//!     parameters: &[ParameterSpec::real("threshold", 0.03, (0.0, 10.0), "largest relative step that halts")],
//!     ..PolicyDeclaration::new("still", PolicyKind::Online, build)
//! };
//!
//! struct Still { threshold: f64 }
//!
//! fn build(context: &PolicyContext) -> Result<Policy> {
//!     Ok(Policy::online(Still { threshold: context.parameters.real("threshold")? }))
//! }
//!
//! impl OnlinePolicy for Still {
//!     fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
//!         let Some(previous) = memory.replace("state", view.states()) else {
//!             return Ok(OnlineDecision::Halt(vec![false; view.rows().len()]));
//!         };
//!         let norm = |states: &Tensor| -> Result<Vec<f64>> {
//!             Ok(states.to_dtype(DType::F64)?.sqr()?.sum(1)?.sqrt()?.to_vec1()?)
//!         };
//!         let steps = norm(&(view.states() - previous)?)?;
//!         let norms = norm(view.states())?;
//!         let halts = steps.iter().zip(norms).map(|(step, norm)| *step < self.threshold * norm);
//!         Ok(OnlineDecision::Halt(halts.collect()))
//!     }
//!
//!     fn decision_flops(&self, d_model: usize) -> f64 {
//!         4.0 * d_model as f64
//!     }
//! }
//!
//! haltbench_sdk::register_policy!(DECLARATION);
//! # fn main() { haltbench_sdk::conformance::check_policy(&DECLARATION); }
//! ```

mod calibration;
mod decision;
mod declaration;
mod early;
mod halting_policy;
mod holds;
mod online;
mod privileged;
mod recipe;
mod record;
mod rule;
mod select;
mod soft;
mod training_pass;
mod view;

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};

pub use calibration::{Calibrated, CalibrationToken, CalibrationTrace, learn_then_test};
pub use decision::{Blend, Combine, Decision, Gate, Halting, Output};
pub use declaration::{Example, PolicyContext, PolicyDeclaration, PolicyKind, Role, Source};
pub use early::{EarlyDecision, EarlyPolicy};
pub use halting_policy::HaltingPolicy;
pub use holds::Holds;
pub use online::{OnlineDecision, OnlinePolicy};
pub use privileged::{Labels, Outcomes, Privileged};
pub use recipe::{LossAt, Per, Recipe, RecipeStage, StepWeights, Trains, Unroll};
pub use record::{HaltingRecord, SourceDepths, SourceToken, Stashed};
pub use rule::{HaltingRule, HazardHistory};
pub use select::{SelectPolicy, Selection, largest_of_sequences};
pub use soft::{SoftDecision, SoftPolicy};
pub use training_pass::{Objective, TrainingPass, balanced_cross_entropy, binary_cross_entropy, indicator, softplus};
pub use view::{Phase, Progress, RowMemory, View};

/// A halting policy with its kind.
pub struct Policy {
    kind: PolicyKind,
    policy: Box<dyn HaltingPolicy>,
}

impl Policy {
    /// An early policy.
    pub fn early(policy: impl EarlyPolicy + 'static) -> Self {
        Self::new(PolicyKind::Early, early::Early(policy))
    }

    /// An online policy.
    pub fn online(policy: impl OnlinePolicy + 'static) -> Self {
        Self::new(PolicyKind::Online, online::Online(policy))
    }

    /// A soft policy.
    pub fn soft(policy: impl SoftPolicy + 'static) -> Self {
        Self::new(PolicyKind::Soft, soft::Soft(policy))
    }

    /// A selecting policy.
    pub fn select(policy: impl SelectPolicy + 'static) -> Self {
        Self::new(PolicyKind::Select, select::Select(policy))
    }

    /// A policy of kind `kind` that implements the engine's trait directly.
    pub fn new(kind: PolicyKind, policy: impl HaltingPolicy + 'static) -> Self {
        Self { kind, policy: Box::new(policy) }
    }

    /// The policy's kind.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The policy's [objective](HaltingPolicy::objective), with its shapes checked.
    ///
    /// # Errors
    /// What the policy reports, or [`Error::Contract`] for costs of another shape.
    pub fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let objective = self.policy.objective(pass)?;
        let checked = [
            ("answers", Some(&objective.answers), pass.answers.len(), "one cost for each answer"),
            ("tokens", objective.tokens.as_ref(), pass.layout.rows(), "one cost for each token, prompts included"),
        ];
        for (field, costs, count, meaning) in checked {
            if let Some(costs) = costs.filter(|costs| costs.dims() != [count]) {
                let found = costs.dims();
                let message =
                    format!("its objective's {field} have the shape {found:?}, expected [{count}]: {meaning}");
                return Err(Error::contract("policy", message));
            }
        }
        Ok(objective)
    }

    /// Lets the policy [calibrate](HaltingPolicy::calibrate) itself.
    ///
    /// # Errors
    /// What the policy reports, or [`Error::Contract`] for a chosen value that is not finite.
    pub fn calibrate(&mut self, trace: &CalibrationTrace) -> Result<Calibrated> {
        let calibrated = self.policy.calibrate(trace)?;
        match calibrated.iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(calibrated),
            Some((name, value)) => {
                let message = format!(
                    "its calibrated `{name}` is {value}, expected a finite number; for a threshold that no token reaches, \
                     choose a number beyond all scores"
                );
                Err(Error::contract("policy", message))
            }
        }
    }
}

impl Deref for Policy {
    type Target = dyn HaltingPolicy;

    fn deref(&self) -> &Self::Target {
        self.policy.as_ref()
    }
}

impl DerefMut for Policy {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.policy.as_mut()
    }
}
