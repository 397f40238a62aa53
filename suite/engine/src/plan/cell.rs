//! A cell: the unit of work, caching and failure.

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use serde::{Deserialize, Serialize};

use super::settings::{Evaluation, Recurrence, TrainingSettings};
use crate::error::{Error, Result};
use crate::model::ModelParts;
use crate::plugins::Catalogue;

/// An implementation with its resolved parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Name of the implementation.
    pub name: String,
    /// All parameters.
    pub parameters: Parameters,
}

/// The cell whose depths a policy reads, and whose weights it takes if it borrows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Identifier of that cell.
    pub cell: String,
    /// Label of its policy.
    pub label: String,
}

/// Everything that determines a cell's result. Its identifier is the hash of this plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellPlan {
    /// Version of the plan's schema.
    pub schema: u32,
    /// How reports call the policy: its name, with the parameters that tell it from its siblings.
    pub label: String,
    /// Seed of weights, training instances and draws.
    pub seed: u64,
    /// `cpu` or `cuda`.
    pub device: String,
    /// The task.
    pub task: Choice,
    /// The backbone.
    pub backbone: Choice,
    /// The policy.
    pub policy: Choice,
    /// The cell whose depths the policy reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The recurrence.
    pub recurrence: Recurrence,
    /// Optimiser and schedule.
    pub training: TrainingSettings,
    /// The evaluation.
    pub evaluation: Evaluation,
}

impl CellPlan {
    /// The plan as the text that is stored and hashed.
    ///
    /// # Errors
    /// [`Error::Usage`] if a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::Usage(format!("plan: {error}")))
    }

    /// Reads a stored plan.
    ///
    /// # Errors
    /// The reader's message.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the plan's model is built from, over `vocabulary` tokens.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn model_parts(&self, catalogue: &Catalogue, vocabulary: usize) -> Result<ModelParts<'_>> {
        Ok(ModelParts {
            backbone: (catalogue.backbone(&self.backbone.name)?, &self.backbone.parameters),
            policy: (catalogue.policy(&self.policy.name)?, &self.policy.parameters),
            vocabulary,
            max_depth: self.recurrence.max_depth,
            halted_keys_values: HaltedKeysValues::from_name(&self.recurrence.halted_keys_values)?,
            recompute: self.training.recompute,
            seed: self.seed,
        })
    }

    /// Identifier: the first 16 hexadecimal digits of the hash of the canonical plan.
    ///
    /// # Errors
    /// Like [`to_toml`](Self::to_toml).
    pub fn id(&self) -> Result<String> {
        Ok(blake3::hash(self.to_toml()?.as_bytes()).to_hex()[..16].to_owned())
    }

    /// How people call the cell: task, backbone, policy and seed.
    pub fn title(&self) -> String {
        format!("{} · {} · {} · seed {}", self.task.name, self.backbone.name, self.label, self.seed)
    }
}
