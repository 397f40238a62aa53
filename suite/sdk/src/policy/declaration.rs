//! Declaration of a halting policy: everything `haltbench list` and `haltbench explain` say about it.

use std::collections::BTreeMap;

use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::{Holds, Labels, Policy, Recipe, RecipeStage, SourceDepths};
use crate::error::Result;
use crate::key_values::HaltedKeysValues;
use crate::parameters::{ParameterSpec, Parameters};

/// The kind of a halting policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// Decides once, from h(0).
    Early,
    /// Decides after each step and never wakes a token.
    Online,
    /// Accumulates weights; the output is a mixture over steps.
    Soft,
    /// Chooses positions per step and may wake a token.
    Select,
}

impl PolicyKind {
    /// The kind in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Online => "online",
            Self::Soft => "soft",
            Self::Select => "select",
        }
    }
}

/// What a policy takes from the policy that `of` names in a suite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Nothing. If a suite sets `of` all the same, that policy's model is evaluated.
    Nothing,
    /// The depths that the other policy gave to tokens. The policy has a model of its own.
    Depths,
    /// The other policy's depths and model.
    DepthsAndModel,
}

impl Source {
    /// Whether the policy reads depths, so that a suite must set `of`.
    pub const fn has_depths(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// Role of a policy on a leaderboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A policy under test.
    Policy,
    /// A control that gives every token the same number of steps. These controls form the frontier that adapt-gain
    /// compares with.
    FixedDepth,
    /// A control that gives answers a fixed number of steps and prompts one step. These controls form a second
    /// frontier, which spends little on prompts.
    FixedAnswerDepth,
    /// A control that predicts another policy's depths from a surface cue alone. A policy's gain over the best of these
    /// does not come from the surface.
    Cue,
    /// A control that repeats another policy's depths at other tokens: the loss from misplacing depths for these weights.
    Shuffled,
    /// Any other control.
    Control,
}

impl Role {
    /// The role's name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::FixedDepth => "fixed-depth",
            Self::FixedAnswerDepth => "fixed-answer-depth",
            Self::Cue => "cue",
            Self::Shuffled => "shuffled",
            Self::Control => "control",
        }
    }
}

/// A worked example: shown by `haltbench explain`, run by the conformance kit.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What the example shows.
    pub title: &'static str,
    /// Computes the result as text.
    pub run: fn() -> Result<String>,
    /// The text that `run` must give, from the paper or worked out by hand.
    pub expect: &'static str,
}

/// Declaration of a policy, registered with [`register_policy!`](crate::register_policy).
#[derive(Debug, Clone, Copy)]
pub struct PolicyDeclaration {
    /// Name in suite files.
    pub name: &'static str,
    /// One line for `haltbench list`.
    pub summary: &'static str,
    /// Markdown for `haltbench explain`, with the headings What it computes, When it halts and Cost.
    pub documentation: &'static str,
    /// Paper and section or equation.
    pub reference: &'static str,
    /// Which of the four kinds [`build`](Self::build) returns.
    pub kind: PolicyKind,
    /// How the model under the policy is trained; a suite may override it.
    pub recipe: Recipe,
    /// Stages of training, in order, for a policy that needs several; they replace [`recipe`](Self::recipe). Empty for
    /// one stage.
    pub stages: &'static [RecipeStage],
    /// What it takes from another policy.
    pub source: Source,
    /// Options of halted keys and values that its training covers; reports warn about an evaluation with another
    /// option. If empty, this is the option that its model is trained with, or `run-on` if no token halts in training.
    pub fits: &'static [HaltedKeysValues],
    /// Whether a token's decision depends only on tokens at or before it.
    pub causal: Holds,
    /// Which labels it reads. A policy that reads any is an oracle, never ranked.
    pub uses_labels: Labels,
    /// Whether it draws random numbers in evaluation.
    pub stochastic: Holds,
    /// Role on a leaderboard: a policy under test, or a kind of control.
    pub role: Role,
    /// Parameters with defaults, ranges and documentation.
    pub parameters: &'static [ParameterSpec],
    /// Worked examples.
    pub examples: &'static [Example],
    /// Builds the policy; its weights are requested from the context's variables.
    pub build: fn(&PolicyContext) -> Result<Policy>,
}

impl PolicyDeclaration {
    /// A declaration with the usual values: trained at sampled depths, causal, deterministic, without parameters.
    pub const fn new(name: &'static str, kind: PolicyKind, build: fn(&PolicyContext) -> Result<Policy>) -> Self {
        Self {
            name,
            summary: "",
            documentation: "",
            reference: "",
            kind,
            recipe: Recipe::SAMPLED,
            stages: &[],
            source: Source::Nothing,
            fits: &[],
            causal: Holds::Always,
            uses_labels: Labels::None,
            stochastic: Holds::Never,
            role: Role::Policy,
            parameters: &[],
            examples: &[],
            build,
        }
    }

    /// Its parameters at their defaults.
    ///
    /// # Errors
    /// If a default is outside its own range.
    pub fn defaults(&self) -> Result<Parameters> {
        Parameters::resolve(self.name, self.parameters, &BTreeMap::new())
    }

    /// The stages in which its model is trained with `parameters`.
    pub fn stages(&self, parameters: &Parameters) -> Vec<RecipeStage> {
        if self.stages.is_empty() {
            return vec![RecipeStage { share: 1.0, recipe: self.recipe, when: Holds::Always }];
        }
        self.stages.iter().filter(|stage| stage.when.given(parameters)).copied().collect()
    }

    /// Whether the policy needs a training run of its own for at least some values of its parameters.
    pub fn may_need_training(&self) -> bool {
        let takes_part = match self.stages {
            [] => self.recipe.uses_policy(),
            stages => stages.iter().any(|stage| stage.recipe.uses_policy()),
        };
        takes_part && !matches!(self.source, Source::DepthsAndModel)
    }

    /// Whether the policy with `parameters` needs a training run of its own.
    pub fn needs_training(&self, parameters: &Parameters) -> bool {
        let takes_part = self.stages(parameters).iter().any(|stage| stage.recipe.uses_policy());
        takes_part && !matches!(self.source, Source::DepthsAndModel)
    }
}

/// What a policy is built from.
pub struct PolicyContext<'a> {
    /// Width of a token state.
    pub d_model: usize,
    /// Width of the backbone's feed-forward layers.
    pub d_ff: usize,
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Resolved parameters.
    pub parameters: &'a Parameters,
    /// Source of the policy's weights; names already have the prefix `decider.`.
    pub variables: VarBuilder<'static>,
    /// Depths of the policy that `of` names, for a policy that reads them; `None` while the engine only checks a plan.
    pub source: Option<&'a SourceDepths>,
    /// Seed of all draws.
    pub seed: u64,
}
