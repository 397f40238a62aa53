//! `patience`: exit once the prediction has stayed the same for some steps.

use haltbench_sdk::prelude::*;

use crate::agreement::{near_repetitions, repetitions};
use crate::criterion::{Checked, Criterion};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "PABEE: halts a token once its prediction has stayed the same for a number of steps.",
    documentation: "\
## What it computes

How many steps in a row have left the prediction unchanged, 0 at step 1 and after a change. `prediction` compares the predicted
tokens, the argmax of the logits read out from h(d), the first of equal ones. `logits` calls a prediction unchanged if no logit
changes by `tolerance` or more: for a vocabulary of one token this is PABEE's rule for regression, for larger ones it is ours.

## When it halts

At the first step whose count reaches `threshold`, PABEE's patience: after as many equal predictions and one more.

## Cost

A read-out of the logits for every executed step of a token, and a comparison over the vocabulary.

## Published code

JetRunner/PABEE, whose exits the tests compare. A patience of 0 means no exit there and is refused here. PABEE classifies a
sequence with a classifier for each layer. An exit for each token is ours, and so is that all steps share the model's own read-out.
The recipe is PABEE's: the loss at every step, in proportion to the step.",
    reference: "Zhou et al. 2020, arXiv 2006.04152 (PABEE), patience-based early exit",
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 2.0, (1.0, 1e6), "steps in a row with an unchanged prediction, the patience")
            .knob(Trend::Deeper),
        ParameterSpec::choice("agreement", "prediction", &["prediction", "logits"], "what stays unchanged")
            .knob(Trend::None),
        ParameterSpec::real("tolerance", 0.2, (0.0, 1e6), "least change of a logit that counts").knob(Trend::Shallower),
    ],
    examples: &[Example {
        title: "counts of the logits 1, 1.25, 1.5, 2, 2 with tolerance .5",
        run: || {
            let mut memory = RowMemory::default();
            let count = |logit: f64| near_repetitions(&Tensor::new(&[[logit]], &Device::Cpu)?, 0.5, &mut memory);
            let counts: Vec<f64> =
                [1.0, 1.25, 1.5, 2.0, 2.0].map(count).into_iter().collect::<Result<Vec<_>>>()?.concat();
            Ok(format!("{counts:?}"))
        },
        expect: "[0.0, 1.0, 2.0, 0.0, 1.0]",
    }],
    ..PolicyDeclaration::new("patience", PolicyKind::Online, |context| {
        let tolerance = match context.parameters.text("agreement")? {
            "logits" => Some(context.parameters.real("tolerance")?),
            _ => None,
        };
        Ok(Checked::after_every_step(context, Patience { tolerance, vocabulary: context.vocabulary })?.policy())
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Patience {
    /// Least change of a logit that counts; compares predicted tokens if there is none.
    tolerance: Option<f64>,
    vocabulary: usize,
}

impl Criterion for Patience {
    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let logits = view.logits()?.to_dtype(DType::F64)?;
        match self.tolerance {
            Some(tolerance) => near_repetitions(&logits, tolerance, memory),
            None => repetitions(&logits.argmax(D::Minus1)?, memory),
        }
    }

    fn passes(&self, value: f64, threshold: f64) -> bool {
        value >= threshold
    }

    fn flops(&self, _: usize) -> f64 {
        3.0 * self.vocabulary as f64
    }
}
