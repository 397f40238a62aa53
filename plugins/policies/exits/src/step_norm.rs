//! `step-norm`: exit once a step hardly moves the state.

use haltbench_sdk::prelude::*;

use crate::criterion::{Checked, Criterion};
use crate::norms::{norms, relative_steps};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Step norm: halts a token once a step moves its state by less than a threshold.",
    documentation: "\
## What it computes

|h(d) - h(d-1)| in the Euclidean norm, from h(0); `relative` divides it by |h(d)|, which is the value of `huginn-latent-diff`.

## When it halts

After `hits` steps in a row whose values are below `threshold`. At equality the token goes on, and the count begins anew. One hit is the usual form; `two-scale` needs two.

## Cost

A subtraction and a norm over d_model for every executed step of a token; `relative` needs a second norm.

## Published code

None: transcribed from the papers, which compare with it. Unlike the acceleration of `two-scale`, a step's norm does not fall while
a state moves on a circle.",
    reference: "Pappone 2025, arXiv 2509.23314, and Zhu et al. 2025, arXiv 2510.25741: the step norm that they compare with",
    // Its output is read out after any step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 0.1, (0.0, 1e6), "norm below which a step counts as a hit")
            .knob(Trend::Shallower),
        ParameterSpec::choice("measure", "absolute", &["absolute", "relative"], "the norm, or its share of |h(d)|")
            .knob(Trend::None),
        ParameterSpec::integer("hits", 1, (1, 1 << 20), "hits in a row that halt").knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "from (3, 4) to (6, 8), absolute and relative",
        run: || {
            let state = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(0);
            let step = |relative| -> Result<f64> {
                Ok(StepNorm { relative }.steps(&state(&[6.0, 8.0])?, &state(&[3.0, 4.0])?)?[0])
            };
            Ok(format!("{} and {}", step(false)?, step(true)?))
        },
        expect: "5 and 0.5",
    }],
    ..PolicyDeclaration::new("step-norm", PolicyKind::Online, |context| {
        let criterion = StepNorm { relative: context.parameters.text("measure")? == "relative" };
        let hits = context.parameters.integer("hits")?;
        Ok(Checked { hits, ..Checked::after_every_step(context, criterion)? }.policy())
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct StepNorm {
    relative: bool,
}

impl StepNorm {
    /// The value of each row.
    fn steps(&self, states: &Tensor, previous: &Tensor) -> Result<Vec<f64>> {
        if self.relative {
            return relative_steps(states, previous);
        }
        norms(&(states.to_dtype(DType::F64)? - previous.to_dtype(DType::F64)?)?)
    }
}

impl Criterion for StepNorm {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", view.states());
        Ok(())
    }

    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let previous = memory.replaced("state", view.states())?;
        self.steps(view.states(), &previous)
    }

    fn flops(&self, d_model: usize) -> f64 {
        if self.relative { 5.0 * d_model as f64 } else { 3.0 * d_model as f64 }
    }
}
