//! `{{name}}`: before every step, a router chooses the tokens that take it.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Chooses before every step which tokens take it; a token that rests may be woken.",
    documentation: "## What it computes\n\nu = w·h before each step. A token whose u is positive takes the step, and its \
                    state moves by sigmoid(u) times the step's change.\n\n\
                    ## When it halts\n\nNever for good: a token that rests may be chosen later.\n\n\
                    ## Objective\n\n`price` times sigmoid(u), averaged over all tokens and steps.\n\n\
                    ## Cost\n\nOne dot product for each token and step.",
    reference: "an example; compare Bae et al. 2025, arXiv 2507.10524, token-choice routing",
    parameters: &[ParameterSpec::real("price", 0.02, (0.0, 1e3), "what training pays for each step")],
    ..PolicyDeclaration::new("{{name}}", PolicyKind::Select, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct MyPolicy {
    router: Linear,
    price: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    // Weights requested from `variables` are trained with the model and stored beside it. The bias lets all tokens begin.
    let router = Linear::with_bias_from(1.0, context.d_model, 1, context.variables.pp("router"))?;
    Ok(Policy::select(MyPolicy { router, price: context.parameters.real("price")? }))
}

impl SelectPolicy for MyPolicy {
    /// Called before every step with the states of all tokens, `[rows, d_model]`.
    fn select(&self, view: &View, memory: &mut RowMemory) -> Result<Selection> {
        let logits = self.router.forward(view.states())?.squeeze(1)?;
        let scores: Vec<f64> = logits.to_dtype(DType::F64)?.to_vec1()?;
        let chosen = scores.iter().map(|score| *score > 0.0).collect();
        let gate = sigmoid(&logits)?;
        // Kept for the regulariser, one entry for each step.
        memory.stash("gate", &gate);
        Ok(Selection { gate: Some(gate), scores: Some(scores), ..Selection::new(chosen) })
    }

    /// What training minimises beside the loss: a cost of each token, `[rows]`.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let gates: Vec<Tensor> = record.stashed("gate")?.iter().map(|stashed| stashed.values.clone()).collect();
        if gates.is_empty() {
            return Ok(None);
        }
        Ok(Some((Tensor::stack(&gates, 1)?.mean(1)? * self.price)?))
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
