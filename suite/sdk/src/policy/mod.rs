//! The contract of a halting policy: when may a token stop iterating?
//!
//! There are four kinds. The engine owns the loop, the depth counter, the masks, the loss and the cost ledger; a
//! policy sees hidden states and, on request, logits. It cannot reach labels.
//!
//! | kind | decides | trait |
//! |---|---|---|
//! | early | once, from h(0) | [`EarlyPolicy`] |
//! | online | after each step, never wakes a token | [`OnlinePolicy`] |
//! | soft | accumulates weights; the output is a mixture over steps | [`SoftPolicy`] |
//! | select | per step, some of the positions; may wake a token | [`SelectPolicy`] |
//!
//! An online policy that needs h(0) sees it in [`OnlinePolicy::init`], and one that compares a number with a threshold may
//! return the number too ([`OnlineDecision::Scored`]), so that `haltbench replay` can show it.
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

mod declaration;
mod early;
mod online;
mod recipe;
mod record;
mod rule;
mod select;
mod soft;
mod view;

pub use declaration::{Example, PolicyContext, PolicyDeclaration, PolicyKind, Role, Source};
pub use early::{EarlyDecision, EarlyPolicy};
pub use online::{OnlineDecision, OnlinePolicy};
pub use recipe::{LossAt, Per, Recipe, StepWeights, Trains, Unroll};
pub use record::{HaltingRecord, SourceDepths, SourceToken};
pub use rule::{HaltingRule, HazardHistory};
pub use select::{Combine, SelectPolicy, Selection};
pub use soft::{SoftDecision, SoftPolicy};
pub use view::{Phase, Privileged, RowMemory, View};

/// A halting policy of one of the four kinds.
pub enum Policy {
    /// Decides once, from h(0).
    Early(Box<dyn EarlyPolicy>),
    /// Decides after each step.
    Online(Box<dyn OnlinePolicy>),
    /// Mixes the states of several steps.
    Soft(Box<dyn SoftPolicy>),
    /// Chooses positions per step.
    Select(Box<dyn SelectPolicy>),
}

impl Policy {
    /// An early policy.
    pub fn early(policy: impl EarlyPolicy + 'static) -> Self {
        Self::Early(Box::new(policy))
    }

    /// An online policy.
    pub fn online(policy: impl OnlinePolicy + 'static) -> Self {
        Self::Online(Box::new(policy))
    }

    /// A soft policy.
    pub fn soft(policy: impl SoftPolicy + 'static) -> Self {
        Self::Soft(Box::new(policy))
    }

    /// A selecting policy.
    pub fn select(policy: impl SelectPolicy + 'static) -> Self {
        Self::Select(Box::new(policy))
    }

    /// Which of the four kinds this is.
    pub fn kind(&self) -> PolicyKind {
        match self {
            Self::Early(_) => PolicyKind::Early,
            Self::Online(_) => PolicyKind::Online,
            Self::Soft(_) => PolicyKind::Soft,
            Self::Select(_) => PolicyKind::Select,
        }
    }

    /// The policy's own cost per token, in addition to the loss over answer tokens: a tensor `[rows]` that the engine
    /// averages over all tokens, prompt included.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn regulariser(&self, record: &HaltingRecord) -> crate::Result<Option<candle_core::Tensor>> {
        match self {
            Self::Early(policy) => policy.regulariser(record),
            Self::Online(policy) => policy.regulariser(record),
            Self::Soft(policy) => policy.regulariser(record),
            Self::Select(policy) => policy.regulariser(record),
        }
    }

    /// Floating-point operations of one decision about one token.
    pub fn decision_flops(&self, d_model: usize) -> f64 {
        match self {
            Self::Early(policy) => policy.decision_flops(d_model),
            Self::Online(policy) => policy.decision_flops(d_model),
            Self::Soft(policy) => policy.decision_flops(d_model),
            Self::Select(policy) => policy.decision_flops(d_model),
        }
    }
}
