//! `huginn-latent-diff`: Huginn's exit, once a step hardly changes the state.

use haltbench_sdk::prelude::*;

use crate::norms::norms;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Huginn: halts a token once a step moves its state by less than a share of its norm.",
    documentation: "\
## What it computes

The relative step |h(d) - h(d-1)| / |h(d)| in the Euclidean norm. It begins with h(0), so that the first exit can be at
step 1.

## When it halts

At the first step whose relative step is below `threshold`, as in the authors' code; at equality the token goes on. A
state that is 0 has no relative step, and its token goes on.

## Cost

One subtraction and two norms for every executed step of a token.",
    reference: "Geiping et al. 2025, arXiv 2502.05171, latent difference",
    recipe: Recipe::LAST_STEP,
    parameters: &[ParameterSpec::real("threshold", 0.03, (0.0, 10.0), "relative step below which a token halts")
        .knob(Trend::Shallower)],
    examples: &[Example {
        title: "from (3, 3.9) to (3, 4)",
        run: || {
            let state = |values: &[f64]| Tensor::new(values, &Device::Cpu)?.unsqueeze(0);
            Ok(format!("{:.6}", relative_steps(&state(&[3.0, 4.0])?, &state(&[3.0, 3.9])?)?[0]))
        },
        expect: "0.020000",
    }],
    ..PolicyDeclaration::new("huginn-latent-diff", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct LatentDiff {
    threshold: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::online(LatentDiff { threshold: context.parameters.real("threshold")? }))
}

impl OnlinePolicy for LatentDiff {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", view.states());
        Ok(())
    }

    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let previous = memory.replaced("state", view.states())?;
        let scores = relative_steps(view.states(), &previous)?;
        let halts = scores.iter().map(|score| *score < self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        5.0 * d_model as f64
    }
}

/// |h(d) - h(d-1)| / |h(d)| of each row.
fn relative_steps(states: &Tensor, previous: &Tensor) -> Result<Vec<f64>> {
    let (states, previous) = (states.to_dtype(DType::F64)?, previous.to_dtype(DType::F64)?);
    let (steps, sizes) = (norms(&(&states - previous)?)?, norms(&states)?);
    Ok(steps.iter().zip(sizes).map(|(step, size)| step / size).collect())
}
