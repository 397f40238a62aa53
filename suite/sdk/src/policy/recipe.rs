//! How the model under a policy is trained: declared by the policy as data, overridden by a suite.

use serde::{Deserialize, Serialize};

use super::{Holds, PolicyKind};

/// Where the loss is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossAt {
    /// At the state at which each token halts.
    Halted,
    /// At the last step of the unroll.
    Last,
    /// At every step, weighted by [`StepWeights`].
    EveryStep,
    /// Defined by the policy's own objective, from a pass in which every token takes D steps.
    Objective,
}

/// Weights of the losses at the steps 1..=D; the weights of a token sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepWeights {
    /// The policy's distribution over depths.
    Policy,
    /// 1 / D each.
    Uniform,
    /// Proportional to the step (CALM, eq. 6: w_d = d / sum of all).
    Linear,
    /// Proportional to [`Recipe::ratio`] to the power of the step.
    Geometric,
}

/// How deep the unroll of training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unroll {
    /// As deep for each token as the policy samples or decides.
    Policy,
    /// D steps for every token.
    Full,
    /// A number of steps drawn uniformly from 1..=D.
    Uniform,
    /// A number of steps drawn from 1 + Poisson(exp(t)) with t ~ N(ln r - s²/2, s), where r is [`Recipe::mean_depth`]
    /// and s is [`Recipe::sigma`]. The mean is r + 1 before depths are limited to D (Geiping et al. 2025, arXiv
    /// 2502.05171, §3.3; the limit is ours).
    PoissonLognormal,
    /// A number of steps drawn from a geometric law on 1, 2, ... whose mean is [`Recipe::mean_depth`], before depths are
    /// limited to D.
    Geometric,
}

/// Tokens that share one draw of a random depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// All tokens of a batch.
    Batch,
    /// All tokens of a sequence.
    Sequence,
    /// One token.
    Token,
}

/// Which weights are trained; all others are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trains {
    /// All.
    All,
    /// The policy's weights.
    Policy,
    /// The backbone's weights.
    Backbone,
}

/// How the model under a policy is trained.
///
/// If the policy takes part in training ([`uses_policy`](Self::uses_policy)), the model belongs to this policy.
/// Otherwise all policies with the same recipe share one model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Where the loss is taken.
    pub loss: LossAt,
    /// Weights of the steps, if the loss is taken at every step.
    pub step_weights: StepWeights,
    /// Ratio of a step's weight to the weight of the step before, if weights are geometric.
    pub ratio: f64,
    /// How deep the unroll is.
    pub unroll: Unroll,
    /// Tokens that share one draw, if depths are drawn.
    pub per: Per,
    /// Mean of the law of `poisson-lognormal` or `geometric`, before depths are limited to D; 0 means D / 2. Depths of
    /// `poisson-lognormal` are one more than their draws, so their mean is higher by one.
    pub mean_depth: f64,
    /// Standard deviation of the logarithm of the Poisson mean. Only for `poisson-lognormal`.
    pub sigma: f64,
    /// Number of last steps of each token that the gradient passes through; 0 means all. Only if depths are drawn.
    pub backpropagate: usize,
    /// Share of the progressive loss in the loss, from 0 to 1: the loss after n + k steps, of which only the last k have a
    /// gradient, with n uniform on 0..D and k uniform on 1..=D - n, both per batch (Bansal et al. 2022, arXiv 2202.05826,
    /// algorithm 1). Only with the loss at the last of D steps.
    pub progressive: f64,
    /// Optimiser steps over which the weight of the policy's regulariser rises linearly from zero; 0 means no warm-up.
    pub regulariser_warmup: u64,
    /// Which weights are trained.
    pub trains: Trains,
}

/// A stage of a policy's own training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecipeStage {
    /// Steps of the stage as a share of the suite's `training.steps`.
    pub share: f64,
    /// How the stage trains.
    pub recipe: Recipe,
    /// Condition on the policy's parameters under which the stage takes place.
    pub when: Holds,
}

impl Recipe {
    /// Trains backbone and policy, at the depths that the policy samples or decides.
    pub const SAMPLED: Self = Self {
        loss: LossAt::Halted,
        step_weights: StepWeights::Policy,
        ratio: 2.0,
        unroll: Unroll::Policy,
        per: Per::Batch,
        mean_depth: 0.0,
        sigma: 0.5,
        backpropagate: 0,
        progressive: 0.0,
        regulariser_warmup: 0,
        trains: Trains::All,
    };
    /// Trains backbone and policy with a loss at each of D steps, weighted by the policy's distribution over depths.
    pub const EVERY_STEP: Self = Self { loss: LossAt::EveryStep, unroll: Unroll::Full, ..Self::SAMPLED };
    /// Trains only the policy's weights, by its own objective over all D steps; the backbone is frozen.
    pub const OBJECTIVE: Self =
        Self { loss: LossAt::Objective, unroll: Unroll::Full, trains: Trains::Policy, ..Self::SAMPLED };
    /// Trains only the backbone, with a loss at each of D steps in proportion to the step (CALM, eq. 6), so that
    /// predictions can be read after every step.
    pub const EVERY_EXIT: Self =
        Self { loss: LossAt::EveryStep, step_weights: StepWeights::Linear, unroll: Unroll::Full, ..Self::SAMPLED };
    /// Trains only the backbone, with the loss at the last of D steps; the policy acts in evaluation alone.
    pub const LAST_STEP: Self = Self { loss: LossAt::Last, unroll: Unroll::Full, ..Self::SAMPLED };

    /// Whether the policy takes part in training: its weights are trained, or the backbone is trained at its depths.
    pub const fn uses_policy(&self) -> bool {
        matches!(self.unroll, Unroll::Policy)
            || matches!(self.loss, LossAt::Objective)
            || matches!((self.loss, self.step_weights), (LossAt::EveryStep, StepWeights::Policy))
    }

    /// Whether depths are drawn at random.
    pub const fn draws_depths(&self) -> bool {
        matches!(self.unroll, Unroll::Uniform | Unroll::PoissonLognormal | Unroll::Geometric)
    }

    /// Whether some tokens may halt before others while training unrolls, of early and online policies.
    pub const fn halts(&self) -> bool {
        matches!(self.unroll, Unroll::Policy) || (self.draws_depths() && !matches!(self.per, Per::Batch))
    }

    /// The first mistake in the recipe, if any: the key, and what was expected and found.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let finite = |value: f64, least: f64| value.is_finite() && value >= least;
        match (self.loss, self.unroll) {
            (LossAt::Halted, Unroll::Full) => {
                let expected = "last, every-step or objective with unroll = \"full\", found halted";
                return Some(("loss", expected.to_owned()));
            }
            (LossAt::Last | LossAt::EveryStep | LossAt::Objective, Unroll::Policy) => {
                return Some((
                    "loss",
                    "halted with unroll = \"policy\"; every step is unrolled with \"full\"".to_owned(),
                ));
            }
            (LossAt::EveryStep | LossAt::Halted | LossAt::Objective, _) if self.draws_depths() => {
                return Some(("loss", "last where depths are drawn: the loss is at the depth drawn".to_owned()));
            }
            _ => {}
        }
        if !finite(self.ratio, f64::MIN_POSITIVE) {
            return Some(("ratio", format!("a positive number, found {}", self.ratio)));
        }
        if !finite(self.mean_depth, 0.0) {
            return Some(("mean_depth", format!("a number of at least 0, found {}", self.mean_depth)));
        }
        if !finite(self.sigma, 0.0) {
            return Some(("sigma", format!("a number of at least 0, found {}", self.sigma)));
        }
        if !(0.0..=1.0).contains(&self.progressive) {
            return Some(("progressive", format!("a share from 0 to 1, found {}", self.progressive)));
        }
        if self.progressive > 0.0 && (self.loss, self.unroll) != (LossAt::Last, Unroll::Full) {
            let found = self.progressive;
            return Some(("progressive", format!("0 unless loss = \"last\" and unroll = \"full\", found {found}")));
        }
        if self.unroll == Unroll::Geometric && self.mean_depth > 0.0 && self.mean_depth < 1.0 {
            let found = self.mean_depth;
            return Some((
                "mean_depth",
                format!("0 or a number of at least 1 with unroll = \"geometric\", found {found}"),
            ));
        }
        if self.backpropagate > 0 && !self.draws_depths() {
            return Some(("backpropagate", format!("0 unless depths are drawn, found {}", self.backpropagate)));
        }
        if matches!(self.trains, Trains::Policy) && !self.uses_policy() {
            return Some((
                "trains",
                "all or backbone where the policy takes no part in training, found policy".to_owned(),
            ));
        }
        (!self.uses_policy() && self.regulariser_warmup > 0).then(|| {
            let found = self.regulariser_warmup;
            ("regulariser_warmup", format!("0 where the policy takes no part in training, found {found}"))
        })
    }

    /// What a policy of kind `kind` expects instead of this recipe; `None` if the recipe suits it.
    pub fn fault_of(&self, kind: PolicyKind) -> Option<String> {
        let mixes = matches!(kind, PolicyKind::Soft | PolicyKind::Select);
        let suits = Self { regulariser_warmup: self.regulariser_warmup, trains: self.trains, ..Self::SAMPLED };
        (mixes && *self != suits).then(|| {
            format!(
                "expected loss = \"halted\" and unroll = \"policy\", because it is {}: its weights or choices are the \
                 model's output",
                kind.name()
            )
        })
    }

    /// This recipe with all keys that have no effect set to their defaults, so that recipes are equal if they train in
    /// the same way.
    pub fn canonical(self) -> Self {
        let mut recipe = self;
        if !matches!(recipe.loss, LossAt::EveryStep) {
            recipe.step_weights = Self::SAMPLED.step_weights;
        }
        if !matches!((recipe.loss, recipe.step_weights), (LossAt::EveryStep, StepWeights::Geometric)) {
            recipe.ratio = Self::SAMPLED.ratio;
        }
        if !recipe.draws_depths() {
            recipe.per = Self::SAMPLED.per;
        }
        if recipe.unroll != Unroll::PoissonLognormal {
            recipe.sigma = Self::SAMPLED.sigma;
        }
        if !matches!(recipe.unroll, Unroll::PoissonLognormal | Unroll::Geometric) {
            recipe.mean_depth = Self::SAMPLED.mean_depth;
        }
        recipe
    }

    /// The recipe in a few words.
    pub fn describe(&self) -> String {
        let trained = match self.trains {
            Trains::All => "",
            Trains::Policy => ", the policy's weights alone",
            Trains::Backbone => ", the backbone's weights alone",
        };
        format!("{}{trained}", self.describe_loss())
    }

    fn describe_loss(&self) -> String {
        let unroll = match (self.unroll, self.per) {
            (Unroll::Policy, _) => return "loss at the depth that the policy samples or decides".to_owned(),
            (Unroll::Full, _) => "all D steps".to_owned(),
            (law, per) => {
                let law = match law {
                    Unroll::Uniform => "uniform",
                    Unroll::Geometric => "geometric",
                    _ => "Poisson-lognormal",
                };
                let per = match per {
                    Per::Batch => "batch",
                    Per::Sequence => "sequence",
                    Per::Token => "token",
                };
                format!("{law} depth per {per}")
            }
        };
        match (self.loss, self.step_weights) {
            (LossAt::EveryStep, StepWeights::Policy) => format!("loss at every step by the policy's weights, {unroll}"),
            (LossAt::EveryStep, StepWeights::Uniform) => format!("loss at every step, uniform, {unroll}"),
            (LossAt::EveryStep, StepWeights::Linear) => format!("loss at every step, linear, {unroll}"),
            (LossAt::EveryStep, StepWeights::Geometric) => {
                format!("loss at every step, geometric ({}), {unroll}", self.ratio)
            }
            (LossAt::Objective, _) => format!("the policy's own objective, {unroll}"),
            _ if self.progressive > 0.0 => {
                format!("loss at the last step and progressive loss ({}), {unroll}", self.progressive)
            }
            _ => format!("loss at the last step, {unroll}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_effect_make_no_other_recipe() {
        let idle =
            Recipe { ratio: 3.0, sigma: 0.1, per: Per::Token, step_weights: StepWeights::Linear, ..Recipe::LAST_STEP };
        assert_eq!(idle.canonical(), Recipe::LAST_STEP);
        for kept in [
            Recipe { step_weights: StepWeights::Geometric, ratio: 3.0, ..Recipe::EVERY_STEP },
            Recipe {
                unroll: Unroll::PoissonLognormal,
                per: Per::Token,
                sigma: 0.1,
                mean_depth: 3.0,
                ..Recipe::LAST_STEP
            },
            Recipe { unroll: Unroll::Uniform, per: Per::Sequence, backpropagate: 2, ..Recipe::LAST_STEP },
            Recipe { unroll: Unroll::Geometric, mean_depth: 3.0, ..Recipe::LAST_STEP },
            Recipe { progressive: 0.5, ..Recipe::LAST_STEP },
            Recipe { regulariser_warmup: 5, trains: Trains::Policy, ..Recipe::SAMPLED },
        ] {
            assert_eq!(kept.canonical(), kept);
        }
    }

    #[test]
    fn who_takes_part_and_what_is_refused() {
        assert!(Recipe::SAMPLED.uses_policy() && Recipe::EVERY_STEP.uses_policy() && !Recipe::LAST_STEP.uses_policy());
        assert!(Recipe::OBJECTIVE.uses_policy() && !Recipe::EVERY_EXIT.uses_policy());
        for recipe in [Recipe::SAMPLED, Recipe::EVERY_STEP, Recipe::LAST_STEP, Recipe::EVERY_EXIT, Recipe::OBJECTIVE] {
            assert_eq!(recipe.fault(), None);
        }
        let linear = Recipe { step_weights: StepWeights::Linear, ..Recipe::EVERY_STEP };
        assert!(!linear.uses_policy() && linear.fault().is_none());
        let drawn = Recipe { unroll: Unroll::Uniform, ..Recipe::LAST_STEP };
        assert!(drawn.fault().is_none() && !drawn.halts() && Recipe { per: Per::Token, ..drawn }.halts());
        for (wrong, key) in [
            (Recipe { loss: LossAt::Halted, ..Recipe::LAST_STEP }, "loss"),
            (Recipe { loss: LossAt::Last, ..Recipe::SAMPLED }, "loss"),
            (Recipe { loss: LossAt::EveryStep, ..drawn }, "loss"),
            (Recipe { mean_depth: -0.5, ..drawn }, "mean_depth"),
            (Recipe { sigma: f64::NAN, ..drawn }, "sigma"),
            (Recipe { progressive: 1.5, ..Recipe::LAST_STEP }, "progressive"),
            (Recipe { progressive: 0.5, ..drawn }, "progressive"),
            (Recipe { progressive: 0.5, ..Recipe::EVERY_EXIT }, "progressive"),
            (Recipe { unroll: Unroll::Geometric, mean_depth: 0.5, ..drawn }, "mean_depth"),
            (Recipe { backpropagate: 2, ..Recipe::LAST_STEP }, "backpropagate"),
            (Recipe { trains: Trains::Policy, ..Recipe::LAST_STEP }, "trains"),
            (Recipe { regulariser_warmup: 5, ..linear }, "regulariser_warmup"),
            (Recipe { regulariser_warmup: 5, ..Recipe::LAST_STEP }, "regulariser_warmup"),
        ] {
            assert_eq!(wrong.fault().map(|(key, _)| key), Some(key), "{wrong:?}");
        }
    }
}
