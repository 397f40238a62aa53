//! `{{name}}`: a linear layer reads h(0) once and gives a distribution over depths.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Chooses each token's depth once, from its state before the first step.",
    documentation: "## What it computes\n\nq(d) = softmax over the depths 1..=D of W h(0) + b.\n\n\
                    ## When it halts\n\nAfter the most probable depth; in training, depths are drawn from q.\n\n\
                    ## Objective\n\n`price` times the mean of q, averaged over all tokens: a step must earn its price.\n\n\
                    ## Cost\n\nOne linear layer for each token.",
    reference: "an example; compare Moosa et al. 2026, arXiv 2602.08864, ANIRA-E",
    // How the model is trained: at the depths that the policy draws.
    recipe: Recipe::SAMPLED,
    parameters: &[ParameterSpec::real("price", 0.02, (0.0, 1e3), "what training pays for each expected step")],
    ..PolicyDeclaration::new("{{name}}", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct MyPolicy {
    depths: Linear,
    price: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    // Weights requested from `variables` are trained with the model and stored beside it.
    let depths = Linear::with_bias(context.d_model, context.max_depth, context.variables.pp("depths"))?;
    Ok(Policy::early(MyPolicy { depths, price: context.parameters.real("price")? }))
}

impl EarlyPolicy for MyPolicy {
    /// Called once with the states of all tokens, h(0), `[rows, d_model]`.
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Logits(self.depths.forward(view.states())?))
    }

    /// What training minimises beside the loss: a cost of each token, `[rows]`.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        Ok(Some((record.expected_depths()? * self.price)?))
    }

    /// Operations of one decision about one token: they count in the comparison with fixed depths.
    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}

#[cfg(test)]
mod tests {
    /// Is it causal, deterministic, independent of the batch, are its gradients right, and what else it promises?
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_policy(&super::DECLARATION);
    }
}
