//! `{{name}}`: halts a token once its state has stopped moving.

use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Halts a token once its state moves by less than a share of its norm.",
    documentation: "## What it computes\n\nThe relative step |h(d) - h(d-1)| / |h(d)|.\n\n\
                    ## When it halts\n\nAt the first step whose relative step is below `threshold`, which may be the first.\n\n\
                    ## Cost\n\nA difference and two norms for each step.",
    reference: "an example; compare Geiping et al. 2025, arXiv 2502.05171, latent difference",
    // How the model is trained. The policy has no weights, so it shares the model of every policy with this recipe.
    recipe: Recipe::LAST_STEP,
    parameters: &[
        // A knob acts in evaluation alone: a list of its values in a suite file is a sweep of one model.
        ParameterSpec::real("threshold", 0.3, (0.0, 10.0), "largest relative step that halts").knob(Trend::Shallower),
    ],
    ..PolicyDeclaration::new("{{name}}", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct MyPolicy {
    threshold: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::online(MyPolicy { threshold: context.parameters.real("threshold")? }))
}

impl OnlinePolicy for MyPolicy {
    /// Called with h(0). The memory starts every pass empty; the engine drops the rows of tokens that have halted.
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        memory.replace("state", view.states());
        Ok(())
    }

    /// Called after every step but the last, with the states of the tokens that have not halted, `[rows, d_model]`.
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let previous = memory.replaced("state", view.states())?;
        let norms = |states: &Tensor| -> Result<Vec<f64>> {
            Ok(states.to_dtype(DType::F64)?.sqr()?.sum(1)?.sqrt()?.to_vec1()?)
        };
        let (steps, sizes) = (norms(&(view.states() - previous)?)?, norms(view.states())?);
        let scores: Vec<f64> = steps.iter().zip(sizes).map(|(step, size)| step / size).collect();
        let halts = scores.iter().map(|score| *score < self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    /// Operations of one decision about one token: they count in the comparison with fixed depths.
    fn decision_flops(&self, d_model: usize) -> f64 {
        5.0 * d_model as f64
    }
}

#[cfg(test)]
mod tests {
    /// Is it causal, deterministic, independent of the batch, and what else its declaration promises?
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_policy(&super::DECLARATION);
    }
}
