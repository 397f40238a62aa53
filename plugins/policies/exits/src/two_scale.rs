//! `two-scale`: exit once the steps of a state have stopped changing.

use haltbench_sdk::prelude::*;

use crate::criterion::{Checked, Criterion};
use crate::norms::norms;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Two-scale exit: halts a token once its state's step stays nearly the same twice in a row.",
    documentation: "\
## What it computes

The acceleration a(d) = |D(d) - D(d-1)| = |h(d) - 2 h(d-1) + h(d-2)| in the Euclidean norm, with the step D(d) = h(d) - h(d-1);
first at d = 2, from h(0). `relative` divides it by |h(d)|: ours, because the size of states differs between models.

## When it halts

After `hits` steps in a row whose accelerations are below `threshold`. With the published 2 hits this is step 3 at the earliest. At equality the token goes on, and the count begins anew.

## Cost

Two subtractions and a norm over d_model for every executed step of a token; `relative` needs a second norm.

## Published code

None: transcribed from the paper, with h(0) as the first state. The gate called acceleration in looped_nanochat, a ratio of two
step norms with one hit, is another quantity.",
    reference: "Pappone 2025, arXiv 2509.23314: acceleration with a two-hit check",
    // Its output is read out after any step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 0.1, (0.0, 1e6), "acceleration below which a step counts as a hit")
            .knob(Trend::Shallower),
        ParameterSpec::choice("measure", "absolute", &["absolute", "relative"], "the norm, or its share of |h(d)|")
            .knob(Trend::None),
        ParameterSpec::integer("hits", 2, (1, 1 << 20), "hits in a row that halt").knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "states 0, 3, 4, 4.5: steps 3, 1, .5",
        run: || {
            let state = |value: f64| Tensor::new(&[[value]], &Device::Cpu);
            let mut memory = RowMemory::default();
            memory.replace("state", &state(0.0)?);
            let mut next = |value| Ok(TwoScale { relative: false }.accelerations(&state(value)?, &mut memory)?[0]);
            Ok(format!("{:?}", [3.0, 4.0, 4.5].map(&mut next).into_iter().collect::<Result<Vec<f64>>>()?))
        },
        expect: "[NaN, 2.0, 0.5]",
    }],
    ..PolicyDeclaration::new("two-scale", PolicyKind::Online, |context| {
        let criterion = TwoScale { relative: context.parameters.text("measure")? == "relative" };
        let hits = context.parameters.integer("hits")?;
        Ok(Checked { hits, ..Checked::after_every_step(context, criterion)? }.policy())
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct TwoScale {
    relative: bool,
}

impl TwoScale {
    /// a(d) of each row; NaN at d = 1. `memory` has h(d-1).
    fn accelerations(&self, states: &Tensor, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let states = states.to_dtype(DType::F64)?;
        let step = (&states - memory.replaced("state", &states)?)?;
        let Some(before) = memory.replace("step", &step) else { return Ok(vec![f64::NAN; states.dim(0)?]) };
        let accelerations = norms(&(step - before)?)?;
        if !self.relative {
            return Ok(accelerations);
        }
        Ok(accelerations.iter().zip(norms(&states)?).map(|(acceleration, size)| acceleration / size).collect())
    }
}

impl Criterion for TwoScale {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", &view.states().to_dtype(DType::F64)?);
        Ok(())
    }

    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        self.accelerations(view.states(), memory)
    }

    fn flops(&self, d_model: usize) -> f64 {
        if self.relative { 6.0 * d_model as f64 } else { 4.0 * d_model as f64 }
    }
}
