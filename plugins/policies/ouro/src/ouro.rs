//! `ouro`: the exit gate of looped language models, trained in two stages.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Ouro: an exit gate trained with the model by expected loss and entropy, then alone by the gain of steps.",
    documentation: "\
## What it computes

lambda(d) = sigmoid(w·h(d) + b) and p(d) = lambda(d) times the product of 1 - lambda over all earlier steps; step D takes
the rest. With `norm` rms, the gate reads h(d) divided by its root mean square; with none, h(d) itself: the published
backbone norms its states after every loop. b starts at 0, so that p is 1/2, 1/4, ... at first; the entropy then spreads it.

## When it halts

At the first step at which the sum of p reaches `threshold` (Q-exit).

## Objective

Stage I, with the model: the sum over steps of p(d) L(d), minus `beta` times the entropy of p, at answer tokens; in the
first half of all training steps, both stages together, `beta_start` takes the place of `beta` unless it is 0. Stage II, the gate alone: with the gain I(d) =
max(0, L(d-1) - L(d)) and the target w(d) = sigmoid(`sharpness` (I(d) - `gain`)), the cross-entropy of 1 - lambda(d) and
w(d), summed over d = 2..D and divided by D.

## Cost

One dot product for every executed step of a token.

## Published code

LoopedLMs/ouro_rl, ouro_rl/modeling/modeling_ouro.py: it runs all loops and only selects the one that is read out, so an
exit saves nothing; counts exits from 0; and, given labels, computes the cross-entropy of the expected logits. The entropy's
weight falls from .1 to .05 between the published phases of training (`beta_start` = .1), while the number of loops falls from
8 to 4; here D is the same throughout, and by default the weight is.",
    reference: "Zhu et al. 2025, arXiv 2510.25741, stages I and II",
    recipe: Recipe::EVERY_STEP,
    stages: &[
        RecipeStage { share: 1.0, recipe: Recipe::EVERY_STEP, when: Holds::Always },
        RecipeStage { share: 0.25, recipe: Recipe::OBJECTIVE, when: Holds::Always },
    ],
    parameters: &[
        ParameterSpec::real("beta", 0.05, (0.0, 1e6), "weight of the entropy in stage I"),
        ParameterSpec::real("beta_start", 0.0, (0.0, 1e6), "weight in the first half of training; 0: `beta` throughout"),
        ParameterSpec::real("sharpness", 50.0, (0.0, 1e6), "slope of the target in stage II"),
        ParameterSpec::real("gain", 0.005, (0.0, 1e6), "gain in nats at which the target is 1/2"),
        ParameterSpec::choice("norm", "none", &["none", "rms"], "norm of the gate's input"),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "cumulative probability that halts").knob(Trend::Deeper),
    ],
    ..PolicyDeclaration::new("ouro", PolicyKind::Online, |context| {
        let (parameters, gate) = (context.parameters.clone(), context.variables.pp("gate"));
        let threshold = parameters.real("threshold")?;
        Ok(Policy::online(Ouro { gate: Linear::with_bias(context.d_model, 1, gate)?, parameters, threshold }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

/// Lower bound of log p: p log p is 0 there, not 0 times infinity.
const LOWEST: f64 = -1e4;

/// Upper bound of a gain, which is infinite if a loss was.
const MOST: f64 = 1e30;

struct Ouro {
    gate: Linear,
    parameters: Parameters,
    threshold: f64,
}

impl Ouro {
    fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let read = match self.parameters.text("norm")? {
            "rms" => states.broadcast_div(&(states.sqr()?.mean_keepdim(1)? + 1e-6)?.sqrt()?)?,
            _ => states.clone(),
        };
        Ok(self.gate.forward(&read)?.squeeze(1)?)
    }
}

impl OnlinePolicy for Ouro {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        Ok(OnlineDecision::HazardLogits(self.logits(view.states())?))
    }

    fn rule(&self) -> HaltingRule {
        HaltingRule::Threshold(self.threshold)
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let parameters = &self.parameters;
        if let (LossAt::EveryStep, Some(log_p)) = (pass.recipe.loss, &pass.record.log_distribution) {
            let (start, end) = (parameters.real("beta_start")?, parameters.real("beta")?);
            let beta = if start > 0.0 && pass.progress.share() < 0.5 { start } else { end };
            let negative_entropy = pass.answers.select(&(log_p.exp()? * log_p.maximum(LOWEST)?)?.sum(1)?)?;
            let answers = (&pass.losses + (negative_entropy * beta)?)?;
            return Ok(Objective { answers, tokens: None });
        }
        let (sharpness, gain) = (parameters.real("sharpness")?, parameters.real("gain")?);
        let most = pass.record.max_depth;
        let (mut before, mut answers) = (pass.step_losses(1)?, pass.losses.zeros_like()?);
        for step in 2..=most {
            let now = pass.step_losses(step)?;
            let wish = (((&before - &now)?.relu()?.minimum(MOST)? - gain)? * sharpness)?;
            let halt = (wish.exp()? + 1.0)?.recip()?; // 1 - w
            let gate = self.logits(&pass.answers.select(&pass.states(step)?.detach())?)?;
            answers = (answers + (binary_cross_entropy(&gate, &halt)? / most as f64)?)?;
            before = now;
        }
        Ok(Objective { answers, tokens: None })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        6.0 * d_model as f64
    }
}
