//! `{{name}}`: the output is a mean of a token's states, weighted by halting probabilities.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Mixes the states of all steps; a token stops once little weight is left.",
    documentation: "## What it computes\n\np(d) = sigmoid(w·h(d) + b) after step d. The state h(d) has the weight p(d) times what \
                    the steps before have left of 1; the last step has all that is left.\n\n\
                    ## When it halts\n\nOnce less than `rest` is left, or after D steps.\n\n\
                    ## Objective\n\n`price` times the mean step under the weights, averaged over all tokens.\n\n\
                    ## Cost\n\nOne dot product for each step.",
    reference: "an example; compare Graves 2016, arXiv 1603.08983, adaptive computation time",
    parameters: &[
        ParameterSpec::real("rest", 0.1, (0.0, 1.0), "weight below which a token stops"),
        ParameterSpec::real("price", 0.02, (0.0, 1e3), "what training pays for each step"),
    ],
    ..PolicyDeclaration::new("{{name}}", PolicyKind::Soft, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct MyPolicy {
    halting: Linear,
    rest: f64,
    price: f64,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let parameters = context.parameters;
    // Weights requested from `variables` are trained with the model and stored beside it.
    let halting = Linear::with_bias(context.d_model, 1, context.variables.pp("halting"))?;
    Ok(Policy::soft(MyPolicy { halting, rest: parameters.real("rest")?, price: parameters.real("price")? }))
}

impl SoftPolicy for MyPolicy {
    /// Called with h(0) and after every step, with the states of the tokens that go on, `[rows, d_model]`. Returns the
    /// weight of the present state and whether each token goes on; the weights of a token add up to 1.
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let rows = view.rows().len();
        let ones = Tensor::ones(rows, view.states().dtype(), view.states().device())?;
        if view.step() == 0 {
            memory.replace("left", &ones);
            return Ok(SoftDecision::new(ones.zeros_like()?, vec![true; rows]));
        }
        let left = memory.get("left").cloned().unwrap_or(ones);
        let probability = sigmoid(&self.halting.forward(view.states())?.squeeze(1)?)?;
        let rest = (&left * probability.affine(-1.0, 1.0)?)?;
        let rests: Vec<f64> = rest.to_dtype(DType::F64)?.to_vec1()?;
        let goes_on: Vec<bool> = rests.iter().map(|rest| *rest >= self.rest && !view.is_last()).collect();
        memory.replace("left", &rest);
        // A token that stops here gives all that is left to this state.
        let mask: Vec<u8> = goes_on.iter().map(|goes_on| u8::from(*goes_on)).collect();
        let mask = Tensor::from_vec(mask, rows, left.device())?;
        Ok(SoftDecision::new(mask.where_cond(&(&left * probability)?, &left)?, goes_on))
    }

    /// What training minimises beside the loss: a cost of each token, `[rows]`.
    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let steps: Vec<f64> = (0..=record.max_depth).map(|step| step as f64).collect();
        let steps = Tensor::from_vec(steps, record.max_depth + 1, weights.device())?.to_dtype(weights.dtype())?;
        Ok(Some((weights.broadcast_mul(&steps)?.sum(1)? * self.price)?))
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
