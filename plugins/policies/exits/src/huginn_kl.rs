//! `huginn-kl`: Huginn's exit, once a step hardly changes the prediction.

use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::prelude::*;

use crate::criterion::Criterion;
use crate::distributions::{changes, divergences};
use crate::huginn::{self, EVERY_N, MIN_STEPS};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step changes its predicted distribution by less than a threshold.",
    documentation: concat!(
        "\
## What it computes

KL(p(d-1) || p(d)) in nats, where p(d) is the softmax of the logits read out from h(d). Before the first step p(0) is the
uniform distribution over the vocabulary, so that the first exit can be at step 1. A token with probability 0 in p(d-1) adds
nothing; one with probability 0 in p(d) alone makes the divergence infinite.

## When it halts

At the first step whose divergence is below `threshold`, as in the authors' code; at equality the token goes on.

## Cost

A read-out of the logits for every check of a token, and a divergence over the vocabulary.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171, KL divergence; the threshold is the default of the authors' code",
    // It reads logits after every step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 1e-3, (0.0, 100.0), "divergence below which a token halts, in nats")
            .knob(Trend::Shallower),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "from the uniform distribution to (.1, .7, .2)",
        run: || {
            let log = |p: [f64; 3]| Tensor::new(&[p.map(f64::ln)], &Device::Cpu);
            Ok(format!("{:.6}", divergences(&log([1.0 / 3.0; 3])?, &log([0.1, 0.7, 0.2])?)?[0]))
        },
        expect: "0.324287",
    }],
    ..PolicyDeclaration::new("huginn-kl", PolicyKind::Online, |context| {
        huginn::policy("huginn-kl", context, Kl { vocabulary: context.vocabulary })
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Kl {
    vocabulary: usize,
}

impl Criterion for Kl {
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        changes(&log_softmax(&view.logits()?.to_dtype(DType::F64)?, D::Minus1)?, memory)
    }

    fn flops(&self, _: usize) -> f64 {
        6.0 * self.vocabulary as f64
    }
}
