//! Declaration of a halting policy: everything `haltbench list` and `haltbench explain` say about it.

use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::error::Result;
use crate::parameters::{ParameterSpec, Parameters};

/// The four kinds of halting policy.
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

/// How the model under a policy is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Training {
    /// Together with the policy, at the depths it samples or decides.
    Sampled,
    /// With a loss at every step, weighted by the policy's distribution over depths.
    EveryStep,
    /// At full depth; the policy acts in evaluation alone.
    FullDepth,
    /// Together with the policy, which has read the depths of another cell first.
    Matched,
    /// Not at all: the weights are those of another cell, whose depths the policy may read.
    Borrowed,
}

impl Training {
    /// The scheme's name as `haltbench explain` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::EveryStep => "every-step",
            Self::FullDepth => "full-depth",
            Self::Matched => "matched",
            Self::Borrowed => "borrowed",
        }
    }

    /// Whether the policy reads the depths of another cell, which suite files name with `of`.
    pub const fn has_source(self) -> bool {
        matches!(self, Self::Matched | Self::Borrowed)
    }
}

/// What a policy is on a board for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A contender.
    Policy,
    /// A control in which every token takes the same number of steps: these make the frontier that adapt-gain compares with.
    FixedDepth,
    /// A control in which answers take a fixed number of steps and prompts one: the frontier that does not pay for prompts.
    FixedAnswerDepth,
    /// A control that repeats another policy's depths as far as a surface cue tells them: what a policy adds to the best of
    /// these it did not read off the surface.
    Cue,
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
    /// Markdown for `haltbench explain`, under the headings What it computes, When it halts, Cost.
    pub documentation: &'static str,
    /// Paper and section or equation.
    pub reference: &'static str,
    /// Which of the four kinds [`build`](Self::build) returns.
    pub kind: PolicyKind,
    /// How the model under the policy is trained.
    pub training: Training,
    /// Whether a token's decision depends only on tokens at or before it.
    pub causal: bool,
    /// Whether it reads labels or complexities: an oracle, never ranked.
    pub uses_labels: bool,
    /// Whether it draws random numbers in evaluation.
    pub stochastic: bool,
    /// What it is on a board for: a contender, or one of the kinds of control.
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
            training: Training::Sampled,
            causal: true,
            uses_labels: false,
            stochastic: false,
            role: Role::Policy,
            parameters: &[],
            examples: &[],
            build,
        }
    }

    /// Whether the policy needs a training run of its own.
    pub const fn needs_training(&self) -> bool {
        matches!(self.training, Training::Sampled | Training::EveryStep | Training::Matched)
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
    /// Source of the policy's weights, already inside `decider.`.
    pub variables: VarBuilder<'static>,
}
