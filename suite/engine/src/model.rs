//! A backbone under a halting policy, with its weights.

use haltbench_sdk::backbone::{Backbone, BackboneContext, BackboneDeclaration};
use haltbench_sdk::candle_core::{DType, Device};
use haltbench_sdk::candle_nn::VarBuilder;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{Policy, PolicyContext, PolicyDeclaration};

use crate::error::Result;
use crate::panics;

/// What a model is built from.
#[derive(Clone, Copy)]
pub struct ModelParts<'a> {
    /// The backbone's declaration and parameters.
    pub backbone: (&'static BackboneDeclaration, &'a Parameters),
    /// The policy's declaration and parameters.
    pub policy: (&'static PolicyDeclaration, &'a Parameters),
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// What halted tokens offer as keys and values.
    pub halted_keys_values: HaltedKeysValues,
    /// Whether the backward pass computes the core's steps again instead of keeping what it needs of them.
    pub recompute: bool,
    /// Seed of the weights and of all draws.
    pub seed: u64,
}

impl ModelParts<'_> {
    /// Asks the plugins for a backbone and a policy over `variables`.
    fn build(&self, variables: &VarBuilder<'static>) -> Result<(Box<dyn Backbone>, Policy)> {
        let (backbone, parameters) = self.backbone;
        let context = BackboneContext { vocabulary: self.vocabulary, parameters, variables: variables.clone() };
        let backbone = (backbone.build)(&context)?;
        let (declaration, parameters) = self.policy;
        let dimensions = backbone.dimensions();
        let policy = (declaration.build)(&PolicyContext {
            d_model: dimensions.d_model,
            d_ff: dimensions.d_ff,
            vocabulary: self.vocabulary,
            max_depth: self.max_depth,
            parameters,
            variables: variables.pp("decider"),
        })?;
        if policy.kind() != declaration.kind {
            let message = format!("declares {} and builds {}", declaration.kind.name(), policy.kind().name());
            return Err(haltbench_sdk::Error::contract(declaration.name, message).into());
        }
        Ok((backbone, policy))
    }

    /// Lets the plugins refuse their parameters, before anything is trained: weights are all zero and thrown away.
    ///
    /// # Errors
    /// Like [`Model::new`].
    pub fn validate(&self) -> Result<()> {
        let names = format!("{} or {}", self.backbone.0.name, self.policy.0.name);
        panics::caught(&names, || self.build(&VarBuilder::zeros(DType::F32, &Device::Cpu)).map(|_| ()))
    }
}

/// A backbone under a halting policy.
pub struct Model {
    /// The backbone.
    pub backbone: Box<dyn Backbone>,
    /// The policy.
    pub policy: Policy,
    /// What the policy declares.
    pub declaration: &'static PolicyDeclaration,
    /// All weights.
    pub variables: Variables,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// What halted tokens offer as keys and values.
    pub halted_keys_values: HaltedKeysValues,
    /// Whether the backward pass computes the core's steps again instead of keeping what it needs of them.
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
    /// If a plugin refuses its parameters or returns another kind of policy than it declares.
    pub fn new(parts: ModelParts, dtype: DType, device: &Device) -> Result<Self> {
        let variables = Variables::new(parts.seed, dtype, device);
        let builder = variables.builder();
        Self::over(parts, variables, &builder, dtype, device)
    }

    /// The same weights as constants, for passes without gradients: they keep no graph.
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
        Ok(Self {
            backbone,
            policy,
            declaration: parts.policy.0,
            variables,
            max_depth: parts.max_depth,
            halted_keys_values: parts.halted_keys_values,
            recompute: parts.recompute,
            seed: parts.seed,
            device: device.clone(),
            dtype,
        })
    }

    /// A broken promise of the policy.
    pub fn broken(&self, message: impl Into<String>) -> crate::Error {
        haltbench_sdk::Error::contract(self.declaration.name, message).into()
    }
}
