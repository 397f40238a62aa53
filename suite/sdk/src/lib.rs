//! The SDK of Haltbench plugins.
//!
//! A plugin is a crate of type `["rlib", "cdylib"]` that depends on this SDK and links the shared library
//! (`use haltbench_sdk_dylib as _;`). It implements one of three traits and registers what it implements:
//!
//! * a [`Task`](task::Task): instances with known per-token complexity;
//! * a [`Backbone`](backbone::Backbone): prelude, recurrent core and coda;
//! * a halting [`Policy`](policy::Policy): early, online, soft or select.
//!
//! The engine owns the loop, the depth counter, the masks, the loss and the cost ledger. States are packed: a batch
//! is the concatenation of its sequences without padding, so a tensor of token states has the shape
//! `[rows, d_model]` and [`TokenLayout`](layout::TokenLayout) says which row is which token.
//!
//! Start with [`policy`] for a worked example, and with [`conformance`] for the checks that any plugin runs with
//! one line.

#[cfg(panic = "abort")]
compile_error!("a plugin's panic must unwind: build with panic = \"unwind\"");

pub mod backbone;
pub mod cache;
pub mod conformance;
pub mod error;
pub mod fingerprint;
mod halted_keys_values;
pub mod host;
pub mod initialise;
mod kept;
pub mod key_values;
pub mod layers;
pub mod layout;
pub mod names;
pub mod nodes;
pub mod parameters;
pub mod policy;
pub mod random;
pub mod registry;
pub mod task;
pub mod text;
pub mod visible;
pub mod vocabulary;

pub use candle_core;
pub use candle_nn;
pub use haltbench_kernels as ops;
pub use haltbench_kernels::threads;
pub use inventory;
pub use serde;

pub use error::{Error, Result};

/// The names that most plugins use.
pub mod prelude {
    pub use crate::backbone::{
        Backbone, BackboneContext, BackboneCost, BackboneDeclaration, BeginContext, Dimensions, PartCost, Start,
        StepContext,
    };
    pub use crate::cache::KeyValueCache;
    pub use crate::error::{Error, Result};
    pub use crate::layout::{RowSet, TokenLayout};
    pub use crate::parameters::{ParameterSpec, Parameters, Trend};
    pub use crate::policy::{
        Blend, Calibrated, CalibrationToken, CalibrationTrace, Combine, Decision, EarlyDecision, EarlyPolicy, Example,
        Gate, Halting, HaltingPolicy, HaltingRecord, HaltingRule, HazardHistory, Holds, Labels, LossAt, Objective,
        OnlineDecision, OnlinePolicy, Output, Phase, Policy, PolicyContext, PolicyDeclaration, PolicyKind, Recipe,
        RecipeStage, Role, RowMemory, SelectPolicy, Selection, SoftDecision, SoftPolicy, Source, SourceDepths,
        SourceToken, StepWeights, TrainingPass, Trains, View, balanced_cross_entropy, binary_cross_entropy, indicator,
        largest_of_sequences, learn_then_test,
    };
    pub use crate::random::Stream;
    pub use crate::task::{
        ComplexitySpec, FeatureKind, FeatureSpec, Instance, SizeKnob, Supervision, Task, TaskDeclaration, TaskSpec,
        Verdict,
    };
    pub use crate::vocabulary::Vocabulary;
    pub use candle_core::{D, DType, Device, Tensor};
    pub use candle_nn::ops::sigmoid;
    pub use candle_nn::{Init, VarBuilder};
}
