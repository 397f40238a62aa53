//! `huginn-latent-diff`: Huginn's exit, once a step hardly changes the state.

use haltbench_sdk::prelude::*;

use crate::criterion::Criterion;
use crate::huginn::{self, EVERY_N, MIN_STEPS};
use crate::norms::relative_steps;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step moves its state by less than a share of its norm.",
    documentation: concat!(
        "\
## What it computes

The relative step |h(d) - h(d-1)| / |h(d)| in the Euclidean norm. It begins with h(0), so that the first exit can be at
step 1.

## When it halts

At the first step whose relative step is below `threshold`, as in the authors' code; at equality the token goes on. A
state that is 0 has no relative step, and its token goes on.

## Cost

One subtraction and two norms for every check of a token.",
        huginn::published!()
    ),
    reference: "Geiping et al. 2025, arXiv 2502.05171, latent difference",
    // Its output is read out after any step.
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("threshold", 0.03, (0.0, 10.0), "relative step below which a token halts")
            .knob(Trend::Shallower),
        MIN_STEPS,
        EVERY_N,
    ],
    examples: &[Example {
        title: "from (3, 3.9) to (3, 4)",
        run: || {
            let state = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(0);
            Ok(format!("{:.6}", relative_steps(&state(&[3.0, 4.0])?, &state(&[3.0, 3.9])?)?[0]))
        },
        expect: "0.020000",
    }],
    ..PolicyDeclaration::new("huginn-latent-diff", PolicyKind::Online, |context| {
        huginn::policy("huginn-latent-diff", context, LatentDiff)
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct LatentDiff;

impl Criterion for LatentDiff {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", view.states());
        Ok(())
    }

    fn values(&self, view: &View, memory: &mut RowMemory) -> Result<Vec<f64>> {
        let previous = memory.replaced("state", view.states())?;
        relative_steps(view.states(), &previous)
    }

    fn flops(&self, d_model: usize) -> f64 {
        5.0 * d_model as f64
    }
}
