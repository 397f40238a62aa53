//! The plan of a model: everything that determines its weights.

use std::collections::BTreeMap;
use std::path::PathBuf;

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{Recipe, SourceDepths};
use haltbench_sdk::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use super::choice::{Choice, identifier};
use super::settings::TrainingSettings;
use crate::error::{Error, Result};
use crate::model::{ModelParts, WITHOUT_POLICY};
use crate::plugins::Catalogue;

/// The version of [`ModelPlan`]'s schema.
pub const MODEL_SCHEMA: u32 = 1;

/// A part of training with a recipe of its own. Its optimiser starts with zero moments and a warm-up of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Optimiser steps.
    pub steps: u64,
    /// How the model is trained in them.
    pub recipe: Recipe,
}

/// Weights that training starts from, instead of those of the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// Weights of another model, given by its identifier.
    Model(String),
    /// Weights in a file.
    File {
        /// blake3 of the file.
        hash: String,
        /// Path of the file; not part of the identifier.
        path: PathBuf,
    },
}

/// Everything that determines a model's weights. Its identifier is the hash of this plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// Version of the plan's schema.
    pub schema: u32,
    /// Seed of weights, training instances and draws.
    pub seed: u64,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Most steps of the unroll, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens, if some tokens halt before others in training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted_keys_values: Option<String>,
    /// The cell whose depths the policy reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Weights that training starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Hashes of the code that trains it: the SDK, the training loop, the libraries of task, backbone and policy.
    pub code: BTreeMap<String, String>,
    /// The task.
    pub task: Choice,
    /// The backbone.
    pub backbone: Choice,
    /// The policy, if it takes part in training, with the parameters that act in training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Choice>,
    /// Optimiser and learning-rate schedule; `steps` counts all stages.
    pub training: TrainingSettings,
    /// The stages of training, at least one.
    pub stages: Vec<Stage>,
}

impl ModelPlan {
    /// The plan as the text that is stored and hashed.
    ///
    /// # Errors
    /// [`Error::Usage`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Usage(format!("plan: {error}")))
    }

    /// Identifier: the first 16 hexadecimal digits of the hash of the canonical plan.
    ///
    /// # Errors
    /// Like [`to_toml`](Self::to_toml).
    pub fn id(&self) -> Result<String> {
        Ok(identifier(&self.without_paths().to_toml()?))
    }

    /// The plan without paths of files, which do not determine the weights.
    pub fn without_paths(&self) -> Self {
        let mut plan = self.clone();
        if let Some(Start::File { path, .. }) = &mut plan.start {
            *path = PathBuf::new();
        }
        plan
    }

    /// The recipe of an optimiser step, 0-based, and the first step of its stage.
    pub fn stage(&self, step: u64) -> (&Stage, u64) {
        let mut first = 0;
        for stage in &self.stages {
            if step < first + stage.steps {
                return (stage, first);
            }
            first += stage.steps;
        }
        // After the last step: the last stage.
        let last = &self.stages[self.stages.len() - 1];
        (last, first - last.steps)
    }

    /// Parts that the model is built from, with the recipe of `stage` and the depths that its policy reads, over
    /// `vocabulary`.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn parts<'a>(
        &'a self,
        catalogue: &Catalogue,
        (parameters, vocabulary): (&'a Parameters, Vocabulary<'a>),
        recipe: Recipe,
        source: Option<&'a SourceDepths>,
    ) -> Result<ModelParts<'a>> {
        let policy = match &self.policy {
            Some(policy) => catalogue.policy(&policy.name)?,
            None => &WITHOUT_POLICY,
        };
        Ok(ModelParts {
            backbone: (catalogue.backbone(&self.backbone.name)?, &self.backbone.parameters),
            policy: (policy, parameters),
            recipe,
            source,
            vocabulary,
            max_depth: self.max_depth,
            halted_keys_values: match &self.halted_keys_values {
                Some(name) => HaltedKeysValues::from_name(name)?,
                None => HaltedKeysValues::FreezeState,
            },
            recompute: self.training.recompute,
            seed: self.seed,
        })
    }

    /// The policy's parameters, with defaults for knobs.
    ///
    /// # Errors
    /// If the policy is unknown or refuses a value.
    pub fn policy_parameters(&self, catalogue: &Catalogue) -> Result<Parameters> {
        let Some(policy) = &self.policy else { return Ok(Parameters::default()) };
        let specs = catalogue.policy(&policy.name)?.parameters;
        Ok(Parameters::resolve(&policy.name, specs, policy.parameters.values())?)
    }
}
