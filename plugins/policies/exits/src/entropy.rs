//! `entropy`: exit once the prediction is sure enough.

use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::prelude::*;

use crate::criterion::{Checked, Criterion};
use crate::distributions::entropies;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "DeeBERT, FastBERT: halts a token once the entropy of its prediction is below a threshold.",
    documentation: "\
## What it computes

H(d), the entropy of the softmax of the logits read out from h(d), in nats (DeeBERT). With `normalise`, H(d) / ln V for a
vocabulary of V tokens (FastBERT's uncertainty, between 0 and 1); it is 0 for V = 1.

## When it halts

At the first step whose value is below `threshold`; at equality the token goes on.

## Cost

A read-out of the logits for every executed step of a token, and an entropy over the vocabulary.

## Published code

castorini/DeeBERT, whose entropies and exits the tests compare; there a probability of 0 makes the entropy NaN, here it adds
nothing. DeeBERT and FastBERT classify a sequence with a classifier for each layer. An exit for each token is ours, and so is that
all steps share the model's own read-out, which the recipe trains at every step. DeeBERT's second stage, which trains its
classifiers on a frozen model, and FastBERT's self-distillation are therefore not built.",
    reference: "Xin et al. 2020, arXiv 2004.12993 (DeeBERT); Liu et al. 2020, arXiv 2004.02178 (FastBERT)",
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 0.1, (0.0, 100.0), "entropy below which a token halts").knob(Trend::Shallower),
        ParameterSpec::flag("normalise", false, "whether the entropy is divided by its maximum, ln V").knob(Trend::None),
    ],
    examples: &[Example {
        title: "(.5, .25, .25), in nats and normalised",
        run: || {
            let log_p = Tensor::new(&[[0.5f64, 0.25, 0.25].map(f64::ln)], &Device::Cpu)?;
            let of = |normalise| -> Result<f64> { Ok(Entropy { vocabulary: 3, normalise }.of(&log_p)?[0]) };
            Ok(format!("{:.6} and {:.6}", of(false)?, of(true)?))
        },
        // 1.5 ln 2, and that over ln 3.
        expect: "1.039721 and 0.946395",
    }],
    ..PolicyDeclaration::new("entropy", PolicyKind::Online, |context| {
        let normalise = context.parameters.flag("normalise")?;
        let criterion = Entropy { vocabulary: context.vocabulary, normalise };
        Ok(Checked::after_every_step(context, criterion)?.policy())
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Entropy {
    vocabulary: usize,
    normalise: bool,
}

impl Entropy {
    /// The value of each row, from log p `[rows, vocabulary]`.
    fn of(&self, log_p: &Tensor) -> Result<Vec<f64>> {
        let most = (log_p.dim(1)? as f64).ln();
        let mut entropies = entropies(log_p)?;
        if self.normalise && most > 0.0 {
            entropies.iter_mut().for_each(|entropy| *entropy /= most);
        }
        Ok(entropies)
    }
}

impl Criterion for Entropy {
    fn values(&self, view: &View, _: &mut RowMemory) -> Result<Vec<f64>> {
        self.of(&log_softmax(&view.logits()?.to_dtype(DType::F64)?, D::Minus1)?)
    }

    fn flops(&self, _: usize) -> f64 {
        5.0 * self.vocabulary as f64
    }
}
