//! `huginn-minp-kl`: Huginn's exit, once a step hardly changes the probable part of the prediction.

use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::prelude::*;

use crate::criterion::Criterion;
use crate::distributions::changes;
use crate::huginn::{self, EVERY_N, MIN_STEPS};

/// Share of the largest probability below which a token counts as improbable, in the authors' code.
const LEAST: f64 = 0.1;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step hardly changes the probable tokens of its predicted distribution.",
    documentation: concat!(
        "\
## What it computes

KL(p(d-1) || p(d)) in nats like `huginn-kl`, of filtered distributions: in the softmax of the logits read out from h(d), each
probability below a tenth of the largest becomes 1/V, for a vocabulary of V tokens, and the sum is divided out. p(0) is uniform.
With few tokens, 1/V may exceed what it replaces and even what it leaves: that is the published rule.

## When it halts

At the first step whose divergence is below `threshold`; at equality the token goes on.

## Cost

A read-out of the logits for every check of a token, a filter and a divergence over the vocabulary.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171; the authors' code, criterion minp-kl",
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 1e-5, (0.0, 100.0), "divergence below which a token halts, in nats")
            .knob(Trend::Shallower),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "(.02, .08, .9) after the filter",
        run: || {
            let logits = Tensor::new(&[[0.02f64, 0.08, 0.9].map(f64::ln)], &Device::Cpu)?;
            let filtered: Vec<f64> = log_probable(&logits)?.exp()?.get(0)?.to_vec1()?;
            Ok(format!("{filtered:.4?}"))
        },
        // 1/3 and 1/3 beside .9: divided by 1.5667.
        expect: "[0.2128, 0.2128, 0.5745]",
    }],
    ..PolicyDeclaration::new("huginn-minp-kl", PolicyKind::Online, |context| {
        huginn::policy("huginn-minp-kl", context, MinPKl { vocabulary: context.vocabulary })
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct MinPKl {
    vocabulary: usize,
}

impl Criterion for MinPKl {
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        changes(&log_probable(&view.logits()?.to_dtype(DType::F64)?)?, memory)
    }

    fn flops(&self, _: usize) -> f64 {
        11.0 * self.vocabulary as f64
    }
}

/// Logarithms of the filtered softmax of `logits` `[rows, vocabulary]`.
fn log_probable(logits: &Tensor) -> Result<Tensor> {
    let p = softmax(logits, D::Minus1)?;
    let least = (p.max_keepdim(1)? * LEAST)?;
    let even = (p.ones_like()? / p.dim(1)? as f64)?;
    let filtered = p.broadcast_lt(&least)?.where_cond(&even, &p)?;
    Ok(filtered.broadcast_div(&filtered.sum_keepdim(1)?)?.log()?)
}
