//! `huginn-argmax-stability`: Huginn's exit, once the predicted token has stayed the same for some steps.

use haltbench_sdk::prelude::*;

use crate::agreement::repetitions;
use crate::criterion::Criterion;
use crate::huginn::{self, EVERY_N, MIN_STEPS};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once its predicted token has stayed the same for a number of steps.",
    documentation: concat!(
        "\
## What it computes

How many checks in a row have found the predicted token of the check before: the argmax of the logits read out from h(d), the
first of equal ones. The count is 0 at the first check and after a change.

## When it halts

At the first step whose count reaches `threshold`. The default of 5 halts after step 6 at the earliest.

## Cost

A read-out of the logits for every check of a token, and an argmax over the vocabulary.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171; the authors' code, criterion argmax-stability",
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 5.0, (0.0, 1e6), "checks in a row with an unchanged prediction")
            .knob(Trend::Deeper),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "counts of the predictions 4, 4, 4, 2, 2",
        run: || {
            let mut memory = RowMemory::default();
            let count = |token: u32| repetitions(&Tensor::new(&[token], &Device::Cpu)?, &mut memory);
            let counts: Vec<f64> = [4, 4, 4, 2, 2].map(count).into_iter().collect::<Result<Vec<_>>>()?.concat();
            Ok(format!("{counts:?}"))
        },
        expect: "[0.0, 1.0, 2.0, 0.0, 1.0]",
    }],
    ..PolicyDeclaration::new("huginn-argmax-stability", PolicyKind::Online, |context| {
        huginn::policy("huginn-argmax-stability", context, ArgmaxStability { vocabulary: context.vocabulary })
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct ArgmaxStability {
    vocabulary: usize,
}

impl Criterion for ArgmaxStability {
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        repetitions(&view.logits()?.argmax(D::Minus1)?, memory)
    }

    fn passes(&self, value: f64, threshold: f64) -> bool {
        value >= threshold
    }

    fn flops(&self, _: usize) -> f64 {
        self.vocabulary as f64
    }
}
