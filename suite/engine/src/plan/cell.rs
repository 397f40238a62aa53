//! A cell: one evaluation of one policy on one model, the unit of caching and failure.

use std::collections::BTreeMap;

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::policy::{Recipe, SourceDepths};
use haltbench_sdk::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use super::choice::{Choice, identifier};
use super::model::ModelPlan;
use super::settings::Evaluation;
use crate::error::{Error, Result};
use crate::model::{ModelParts, WITHOUT_POLICY};
use crate::plugins::Catalogue;

/// The version of [`CellPlan`]'s schema.
pub const PLAN_SCHEMA: u32 = 3;

/// Everything that determines a cell's result. Its identifier is the hash of this plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellPlan {
    /// Version of the plan's schema.
    pub schema: u32,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// The cell whose depths the policy reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Hashes of the code that evaluates: the engine and the policy's library.
    pub code: BTreeMap<String, String>,
    /// The policy with all its parameters.
    pub policy: Choice,
    /// The evaluation.
    pub evaluation: Evaluation,
    /// The model that is evaluated.
    pub model: ModelPlan,
}

impl CellPlan {
    /// The plan as the text that is stored and hashed.
    ///
    /// # Errors
    /// [`Error::Usage`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Usage(format!("plan: {error}")))
    }

    /// Parts of the evaluated model with its backbone alone, over `vocabulary`: every token takes D steps.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn parts_without_policy<'a>(
        &'a self,
        catalogue: &Catalogue,
        vocabulary: Vocabulary<'a>,
    ) -> Result<ModelParts<'a>> {
        Ok(ModelParts {
            backbone: (catalogue.backbone(&self.model.backbone.name)?, &self.model.backbone.parameters),
            policy: (&WITHOUT_POLICY, &self.policy.parameters),
            // Nothing is trained here.
            recipe: Recipe::LAST_STEP,
            source: None,
            vocabulary,
            max_depth: self.max_depth,
            halted_keys_values: HaltedKeysValues::from_name(&self.halted_keys_values)?,
            recompute: false,
            seed: self.model.seed,
        })
    }

    /// Parts that the evaluated model is built from, over `vocabulary`.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn parts<'a>(
        &'a self,
        catalogue: &Catalogue,
        vocabulary: Vocabulary<'a>,
        source: Option<&'a SourceDepths>,
    ) -> Result<ModelParts<'a>> {
        let policy = (catalogue.policy(&self.policy.name)?, &self.policy.parameters);
        Ok(ModelParts { policy, source, ..self.parts_without_policy(catalogue, vocabulary)? })
    }

    /// Identifier: the first 16 hexadecimal digits of the hash of the canonical plan.
    ///
    /// # Errors
    /// Like [`to_toml`](Self::to_toml).
    pub fn id(&self) -> Result<String> {
        let plan = Self { model: self.model.without_paths(), ..self.clone() };
        Ok(identifier(&plan.to_toml()?))
    }
}
