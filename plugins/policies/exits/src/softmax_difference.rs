//! `softmax-difference`: CALM's exit, once the two most probable tokens are far enough apart.

use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "CALM: halts a token once its two most probable predictions are far enough apart.",
    documentation: "\
## What it computes

The confidence c(d) = p1 - p2, where p1 and p2 are the two largest entries of the softmax of the logits read out from
h(d). With a vocabulary of one token p2 is 0. Logits that have no softmax have no confidence, and the token goes on.

## When it halts

At the first step with c(d) >= `threshold`. Implementations differ at equality: T5X, by the authors, halts too; FREE (Bae et
al. 2023) goes on. A confidence may round to 1, so only a `threshold` above 1 means never.

## Cost

A read-out of the logits for every executed step of a token, and a softmax of them.",
    reference: "Schuster et al. 2022, arXiv 2207.07061, softmax response",
    // CALM weighs the loss of every layer by its number.
    recipe: Recipe { step_weights: StepWeights::Linear, ..Recipe::EVERY_STEP },
    parameters: &[ParameterSpec::real("threshold", 0.9, (0.0, 2.0), "least confidence that halts; above 1: never")
        .knob(Trend::Deeper)],
    examples: &[Example {
        title: "probabilities .1, .7, .2",
        run: || Ok(format!("{:.6}", difference(&[0.1f64.ln(), 0.7f64.ln(), 0.2f64.ln()]))),
        expect: "0.500000",
    }],
    ..PolicyDeclaration::new("softmax-difference", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct SoftmaxDifference {
    threshold: f64,
    vocabulary: usize,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let threshold = context.parameters.real("threshold")?;
    Ok(Policy::online(SoftmaxDifference { threshold, vocabulary: context.vocabulary }))
}

impl OnlinePolicy for SoftmaxDifference {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let logits: Vec<Vec<f64>> = view.logits()?.to_dtype(DType::F64)?.to_vec2()?;
        let scores: Vec<f64> = logits.iter().map(|logits| difference(logits)).collect();
        let halts = scores.iter().map(|score| *score >= self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn decision_flops(&self, _: usize) -> f64 {
        4.0 * self.vocabulary as f64
    }
}

/// The difference of the two largest entries of the softmax; NaN where there is no softmax.
pub fn difference(logits: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for logit in logits {
        if *logit > first {
            (first, second) = (*logit, first);
        } else if *logit > second {
            second = *logit;
        }
    }
    let total: f64 = logits.iter().map(|logit| (logit - first).exp()).sum();
    (1.0 - (second - first).exp()) / total
}
