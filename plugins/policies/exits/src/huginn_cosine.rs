//! `huginn-cosine`: Huginn's exit, once a step hardly turns the state.

use haltbench_sdk::prelude::*;

use crate::criterion::Criterion;
use crate::huginn::{self, EVERY_N, MIN_STEPS};
use crate::norms::cosines;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step turns its state by less than a threshold.",
    documentation: concat!(
        "\
## What it computes

1 - cos(h(d), h(d-1)). It begins with h(0), so that the first exit can be at step 1.

## When it halts

At the first step whose value is below `threshold`; at equality the token goes on. A state that is 0 has no cosine, and its token
goes on.

## Cost

Three products over d_model for every check of a token.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171; the authors' code, criterion cosine",
    // Its output is read out after any step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 1e-3, (0.0, 3.0), "1 - cosine below which a token halts")
            .knob(Trend::Shallower),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "from (1, 0) to (1, 1)",
        run: || {
            let state = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(0);
            Ok(format!("{:.6}", turns(&state(&[1.0, 1.0])?, &state(&[1.0, 0.0])?)?[0]))
        },
        expect: "0.292893",
    }],
    ..PolicyDeclaration::new("huginn-cosine", PolicyKind::Online, |context| huginn::policy("huginn-cosine", context, Cosine))
};

haltbench_sdk::register_policy!(DECLARATION);

struct Cosine;

impl Criterion for Cosine {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", view.states());
        Ok(())
    }

    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let previous = memory.replaced("state", view.states())?;
        turns(view.states(), &previous)
    }

    fn flops(&self, d_model: usize) -> f64 {
        6.0 * d_model as f64
    }
}

/// 1 - cos of each row.
fn turns(states: &Tensor, previous: &Tensor) -> Result<Vec<f64>> {
    let cosines = cosines(&states.to_dtype(DType::F64)?, &previous.to_dtype(DType::F64)?)?;
    Ok(cosines.iter().map(|cosine| 1.0 - cosine).collect())
}
