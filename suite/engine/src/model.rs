//! A backbone under a halting policy, with its weights.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use haltbench_sdk::backbone::{Backbone, BackboneContext, BackboneCost, BackboneDeclaration};
use haltbench_sdk::candle_core::{self, DType, Device, Shape, Tensor};
use haltbench_sdk::candle_nn::var_builder::SimpleBackend;
use haltbench_sdk::candle_nn::{Init, VarBuilder};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{
    EarlyDecision, EarlyPolicy, Policy, PolicyContext, PolicyDeclaration, PolicyKind, Recipe, SourceDepths, View,
};
use haltbench_sdk::vocabulary::Vocabulary;
use serde::Serialize;

use crate::costs::Costs;
use crate::error::Result;
use crate::memory;
use crate::panics;

/// Prefix of the names of a policy's weights.
pub const POLICY_PREFIX: &str = "decider.";

/// Placeholder for a model that is trained without a policy: every token takes D steps.
pub static WITHOUT_POLICY: PolicyDeclaration = PolicyDeclaration {
    recipe: Recipe::LAST_STEP,
    ..PolicyDeclaration::new("none", PolicyKind::Early, |_| Ok(Policy::early(FullDepth)))
};

struct FullDepth;

impl EarlyPolicy for FullDepth {
    fn decide(&self, view: &View) -> haltbench_sdk::Result<EarlyDecision> {
        let depth = u32::try_from(view.max_depth()).unwrap_or(u32::MAX);
        Ok(EarlyDecision::Depths(vec![depth; view.rows().len()]))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

/// What a model is built from.
#[derive(Clone, Copy)]
pub struct ModelParts<'a> {
    /// The backbone's declaration and parameters.
    pub backbone: (&'static BackboneDeclaration, &'a Parameters),
    /// The policy's declaration and parameters.
    pub policy: (&'static PolicyDeclaration, &'a Parameters),
    /// How it is trained.
    pub recipe: Recipe,
    /// Depths of another policy, for a policy that reads them.
    pub source: Option<&'a SourceDepths>,
    /// The task's tokens.
    pub vocabulary: Vocabulary<'a>,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: HaltedKeysValues,
    /// Whether the backward pass recomputes the core's steps instead of keeping their activations.
    pub recompute: bool,
    /// Seed of the weights and of all draws.
    pub seed: u64,
}

impl ModelParts<'_> {
    /// Builds backbone and policy over `variables`.
    fn build(&self, variables: &VarBuilder<'static>) -> Result<(Box<dyn Backbone>, Policy)> {
        let (backbone, parameters) = self.backbone;
        let context = BackboneContext { vocabulary: self.vocabulary, parameters, variables: variables.clone() };
        let name = backbone.name;
        let backbone = (backbone.build)(&context)?;
        if let Some(steps) = backbone.own_steps().filter(|steps| *steps != self.max_depth) {
            let operand = "largest depth D (recurrence.max_depth, or max_depth or depth of a policy)";
            let expected = format!("{steps}, the number of steps for which backbone {name} has weights");
            return Err(haltbench_sdk::Error::invalid(operand, expected, self.max_depth).into());
        }
        let (declaration, parameters) = self.policy;
        let dimensions = backbone.dimensions();
        let context = PolicyContext {
            d_model: dimensions.d_model,
            d_ff: dimensions.d_ff,
            vocabulary: self.vocabulary.size,
            max_depth: self.max_depth,
            parameters,
            variables: variables.pp(POLICY_PREFIX.trim_end_matches('.')),
            source: self.source,
            seed: self.seed,
        };
        Ok((backbone, build_policy(declaration, &context)?))
    }

    /// Whether the policy must calibrate itself before an evaluation.
    ///
    /// # Errors
    /// Like [`Model::new`].
    pub fn needs_calibration(&self) -> Result<bool> {
        let builder = VarBuilder::from_backend(Box::new(Asked::default()), DType::F32, Device::Cpu);
        panics::caught(self.policy.0.name, || Ok(self.build(&builder)?.1.needs_calibration()))
    }

    /// Width of a state.
    ///
    /// # Errors
    /// Like [`Model::new`].
    pub fn d_model(&self) -> Result<usize> {
        let builder = VarBuilder::from_backend(Box::new(Asked::default()), DType::F32, Device::Cpu);
        panics::caught(self.backbone.0.name, || Ok(self.build(&builder)?.0.dimensions().d_model))
    }

    /// Analytic cost of the backbone.
    ///
    /// # Errors
    /// Like [`Model::new`].
    pub fn cost(&self) -> Result<BackboneCost> {
        let builder = VarBuilder::from_backend(Box::new(Asked::default()), DType::F32, Device::Cpu);
        panics::caught(self.backbone.0.name, || Ok(self.build(&builder)?.0.cost()))
    }

    /// Shapes of all weights by name. Plugins thereby check their parameters before anything is trained; the weights
    /// are zeros, and dropped.
    ///
    /// # Errors
    /// Like [`Model::new`].
    pub fn weights(&self) -> Result<BTreeMap<String, Vec<usize>>> {
        let names = format!("{} or {}", self.backbone.0.name, self.policy.0.name);
        let asked = Asked::default();
        let builder = VarBuilder::from_backend(Box::new(asked.clone()), DType::F32, Device::Cpu);
        panics::caught(&names, || self.build(&builder).map(|_| ()))?;
        let shapes = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(shapes.clone())
    }
}

/// Builds a policy and checks that it is of the kind that it declares.
///
/// # Errors
/// If the plugin refuses its parameters or builds another kind.
pub fn build_policy(declaration: &PolicyDeclaration, context: &PolicyContext) -> Result<Policy> {
    let policy = (declaration.build)(context)?;
    if policy.kind() != declaration.kind {
        let message = format!("declares {} and builds {}", declaration.kind.name(), policy.kind().name());
        return Err(haltbench_sdk::Error::contract(declaration.name, message).into());
    }
    Ok(policy)
}

/// Shapes of a policy's weights by name, without the prefix `decider.`, for states and logits of `sizes`.
///
/// # Errors
/// If the policy refuses its parameters.
pub fn policy_weights(
    declaration: &PolicyDeclaration,
    parameters: &Parameters,
    sizes: PolicySizes,
) -> Result<BTreeMap<String, Vec<usize>>> {
    let variables = Variables::new(0, DType::F32, &Device::Cpu);
    let context = PolicyContext {
        d_model: sizes.d_model,
        d_ff: sizes.d_ff,
        vocabulary: sizes.vocabulary,
        max_depth: sizes.max_depth,
        parameters,
        variables: variables.builder(),
        source: None,
        seed: 0,
    };
    panics::caught(declaration.name, || build_policy(declaration, &context))?;
    Ok(variables.weights()?.into_iter().map(|(name, weight)| (name, weight.dims().to_vec())).collect())
}

/// Sizes that the shapes of a policy's weights depend on.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PolicySizes {
    /// Width of a state.
    pub d_model: usize,
    /// Width of the backbone's feed-forward layers.
    pub d_ff: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
}

/// Returns zeros for every weight, and records its name and shape.
#[derive(Default, Clone)]
struct Asked(Arc<Mutex<BTreeMap<String, Vec<usize>>>>);

impl SimpleBackend for Asked {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.insert(name.to_owned(), shape.dims().to_vec());
        // An allocation that fails would end the process.
        let bytes = shape.dims().iter().try_fold(dtype.size_in_bytes(), |bytes, size| bytes.checked_mul(*size));
        let limit = memory::limit().unwrap_or(u64::MAX);
        if bytes.is_none_or(|bytes| bytes as u64 > limit) {
            let needed = shape.dims().iter().fold(dtype.size_in_bytes() as f64, |bytes, size| bytes * *size as f64);
            return Err(candle_core::Error::Msg(format!(
                "weight {name}: its shape {:?} needs {} of memory, the limit is {}",
                shape.dims(),
                memory::in_words(needed),
                memory::in_words(limit as f64)
            )));
        }
        Tensor::zeros(shape, dtype, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(candle_core::Error::Msg(format!("weight {name}: expected a shape, found none")))
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// A backbone under a halting policy.
pub struct Model {
    /// The backbone.
    pub backbone: Box<dyn Backbone>,
    /// The backbone's declaration; `None` for a trace.
    pub backbone_declaration: Option<&'static BackboneDeclaration>,
    /// The policy.
    pub policy: Policy,
    /// The policy's declaration.
    pub declaration: &'static PolicyDeclaration,
    /// Costs of backbone and policy, read when they were built.
    pub costs: Costs,
    /// How it is trained.
    pub recipe: Recipe,
    /// Steps of its training, or 1 where it is not trained.
    pub training_steps: u64,
    /// Whether a token's decision depends only on tokens at or before it.
    pub is_causal: bool,
    /// All weights.
    pub variables: Variables,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: HaltedKeysValues,
    /// Whether the backward pass recomputes the core's steps instead of keeping their activations.
    pub recompute: bool,
    /// Seed of the weights and of all draws.
    pub seed: u64,
    /// Where the weights live.
    pub device: Device,
    /// Their type.
    pub dtype: DType,
}

impl Model {
    /// Builds a model with freshly initialised weights.
    ///
    /// # Errors
    /// If a plugin refuses its parameters, returns another kind of policy than it declares, or reports a cost that is no
    /// number of operations.
    pub fn new(parts: ModelParts, dtype: DType, device: &Device) -> Result<Self> {
        let variables = Variables::new(parts.seed, dtype, device);
        let builder = variables.builder();
        Self::over(parts, variables, &builder, dtype, device)
    }

    /// This model with the same weights as constants, for passes without gradients: they build no graph.
    ///
    /// # Errors
    /// Like [`new`](Self::new).
    pub fn constant(&self, parts: ModelParts) -> Result<Self> {
        let variables = self.variables.clone();
        let builder = variables.constants();
        Self::over(parts, variables, &builder, self.dtype, &self.device)
    }

    fn over(
        parts: ModelParts,
        variables: Variables,
        builder: &VarBuilder<'static>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let (backbone, policy) = parts.build(builder)?;
        let costs = Costs::of((Some(parts.backbone.0), &*backbone), (parts.policy.0, &policy))?;
        Ok(Self {
            backbone,
            backbone_declaration: Some(parts.backbone.0),
            policy,
            declaration: parts.policy.0,
            costs,
            recipe: parts.recipe,
            training_steps: 1,
            is_causal: parts.policy.0.causal.given(parts.policy.1),
            variables,
            max_depth: parts.max_depth,
            halted_keys_values: parts.halted_keys_values,
            recompute: parts.recompute,
            seed: parts.seed,
            device: device.clone(),
            dtype,
        })
    }

    /// Whether a token's states depend only on tokens at or before it. A trace is taken to be causal.
    pub fn backbone_is_causal(&self) -> bool {
        self.backbone_declaration.is_none_or(|declaration| declaration.causal)
    }

    /// A broken promise of the policy.
    pub fn broken(&self, message: impl Into<String>) -> crate::Error {
        haltbench_sdk::Error::contract(self.declaration.name, message).into()
    }
}
