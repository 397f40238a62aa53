//! `palbert`: PonderNet's distribution from a deeper gate, and an exit at a quantile.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::pondernet::divergence;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "PALBERT: a gate over two successive states, trained like PonderNet's; halts past a quantile.",
    documentation: "\
## What it computes

lambda(d) = sigmoid(w·f(h(d), h(d-1)) + b), where f applies `layers` layers of width 2 d_model with tanh to both states side by
side; at step 1 zeros stand for h(0). p(d) = lambda(d) times the product of 1 - lambda over all earlier steps; step D takes the
rest. Training minimises the expected loss, the sum over d of p(d) times the loss at step d. b starts at 0, so that lambda is
near 1/2 and p near 1/2, 1/4, ... at first; the prior then pulls tokens deeper.

## When it halts

At the first step at which the sum of p exceeds `threshold` (Q-exit); at equality the token goes on, unlike with the quantile exit
of `pondernet` and with `ouro`.

## Objective

`beta` · KL(p || g) in nats, averaged over all tokens, with the geometric prior g(d) = q (1 - q)^(d-1), q = `lambda_p`; step D
has its tail.

## Cost

`layers` products of a vector with a square matrix of width 2 d_model for every executed step of a token.

## Published code

tinkoff-ai/palbert, for one state of a sequence; a gate for each token is ours. That code adds an embedding of the layer to the
gate's input, left out here so that a model runs at any D; minimises KL(g || p), here that of PonderNet's paper; and gives each step
after the sum of p has passed .95 the same small probability, here its own.",
    reference: "Balagansky and Gavrilov 2022, arXiv 2204.03276 (PALBERT); Banino et al. 2021, arXiv 2107.05407",
    recipe: Recipe::EVERY_STEP,
    parameters: &[
        ParameterSpec::real("beta", 0.5, (0.0, 1e6), "weight of the divergence from the prior"),
        ParameterSpec::real("lambda_p", 0.1, (1e-6, 0.999_999), "halting probability of the prior"),
        ParameterSpec::integer("layers", 3, (0, 16), "layers before the gate's dot product"),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "cumulative probability beyond which a token halts")
            .knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "depth for p = (.2, .24, .28, .28) and the threshold .2, which the first sum equals",
        run: || Ok(exceeds(0.2).depth(&[0.2, 0.24, 0.28, 0.28]).to_string()),
        expect: "2",
    }],
    ..PolicyDeclaration::new("palbert", PolicyKind::Online, |context| {
        let (parameters, variables) = (context.parameters, &context.variables);
        let width = 2 * context.d_model;
        let layer = |number: usize| Ok(Linear::with_bias(width, width, variables.pp(format!("layers.{number}")))?);
        Ok(Policy::online(Palbert {
            layers: (0..parameters.integer("layers")?).map(layer).collect::<Result<_>>()?,
            gate: Linear::with_bias(width, 1, variables.pp("gate"))?,
            beta: parameters.real("beta")?,
            prior: parameters.real("lambda_p")?,
            threshold: parameters.real("threshold")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Palbert {
    layers: Vec<Linear>,
    gate: Linear,
    beta: f64,
    prior: f64,
    threshold: f64,
}

impl OnlinePolicy for Palbert {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let states = view.states();
        let previous = match memory.replace("state", states) {
            Some(previous) => previous,
            None => states.zeros_like()?,
        };
        let mut features = Tensor::cat(&[states, &previous], 1)?;
        for layer in &self.layers {
            features = layer.forward(&features)?.tanh()?;
        }
        Ok(OnlineDecision::HazardLogits(self.gate.forward(&features)?.squeeze(1)?))
    }

    fn rule(&self) -> HaltingRule {
        exceeds(self.threshold)
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(log_p) = &record.log_distribution else { return Ok(None) };
        Ok(Some((divergence(log_p, self.prior)? * self.beta)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        let width = 2.0 * d_model as f64;
        2.0 * width + self.layers.len() as f64 * (2.0 * width * width + 2.0 * width)
    }
}

/// A sum exceeds the threshold if it reaches the next larger number.
fn exceeds(threshold: f64) -> HaltingRule {
    HaltingRule::Threshold(threshold.next_up())
}
