//! `huginn-entropy-diff`: Huginn's exit, once a step hardly changes how sure the prediction is.

use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::prelude::*;

use crate::criterion::Criterion;
use crate::huginn::{self, EVERY_N, MIN_STEPS};

/// Entropy before the first check, and what is added to a probability before its logarithm is taken, in the authors' code.
const FIRST: f64 = 100.0;
const LEAST: f64 = 1e-10;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step changes the entropy of its prediction by less than a threshold.",
    documentation: concat!(
        "\
## What it computes

|H(d) - H(d-1)| in nats, where H(d) is the entropy of the softmax of the logits read out from h(d), the sum of -p log(p + 1e-10).
H(0) is 100, so that no token halts at its first check unless `threshold` is near 100.

## When it halts

At the first step whose value is below `threshold`; at equality the token goes on.

## Cost

A read-out of the logits for every check of a token, and an entropy over the vocabulary.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171; the authors' code, criterion entropy-diff",
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 1e-3, (0.0, 200.0), "change of the entropy below which a token halts, in nats")
            .knob(Trend::Shallower),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "entropy of (.5, .25, .25)",
        run: || {
            let logits = Tensor::new(&[[0.5f64, 0.25, 0.25].map(f64::ln)], &Device::Cpu)?;
            Ok(format!("{:.6}", entropies(&logits)?.get(0)?.to_scalar::<f64>()?))
        },
        // 1.5 ln 2
        expect: "1.039721",
    }],
    ..PolicyDeclaration::new("huginn-entropy-diff", PolicyKind::Online, |context| {
        huginn::policy("huginn-entropy-diff", context, EntropyDiff { vocabulary: context.vocabulary })
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct EntropyDiff {
    vocabulary: usize,
}

impl Criterion for EntropyDiff {
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let now = entropies(&view.logits()?.to_dtype(DType::F64)?)?;
        let before = match memory.replace("entropy", &now) {
            Some(before) => before,
            None => now.ones_like()?.affine(FIRST, 0.0)?,
        };
        Ok((now - before)?.abs()?.to_vec1()?)
    }

    fn flops(&self, _: usize) -> f64 {
        6.0 * self.vocabulary as f64
    }
}

/// The entropy of the softmax of each row of `logits` `[rows, vocabulary]`, `[rows]`.
fn entropies(logits: &Tensor) -> Result<Tensor> {
    let p = softmax(logits, D::Minus1)?;
    Ok((&p * (&p + LEAST)?.log()?)?.sum(1)?.neg()?)
}
