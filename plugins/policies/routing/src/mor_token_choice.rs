//! `mor-token-choice`: each token chooses its number of recursions once, before the first.

use haltbench_sdk::candle_nn::ops::{log_softmax, softmax};
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Mixture-of-Recursions, token choice: each token picks its depth from h(0), and a gate scales its result.",
    documentation: "\
## What it computes

A router without bias reads x = h(0) and gives u, one number for each depth 1, ..., D. The gates are g = `alpha` softmax(u), or
`alpha` sigmoid(u) under `router = \"sigmoid\"`; the depth i of a token is that of its largest gate, the lowest of equal ones. Its
output is x + g(i) f(f(...f(x))), with i applications of the step f. Under `gate = \"each\"`, the result of every step r is
multiplied by g(r), as in the paper's eq. 2.2. Only tokens with a depth of at least r attend to each other in step r: use
`halted_keys_values = \"skip\"`. The number of depths is part of the router's shape, so the model has the D that it was trained with.

## When it halts

After i steps. The choice reads the token's own h(0) alone, so it is causal. The output is no state of the token but a sum of two, so
another policy that reads this model reads something else.

## Objective

With `balancing = \"loss\"`, `balance` times the sum over depths of P(i) D F(i), where P is the mean of g and F the share of tokens
that choose i. With `\"loss-free\"`, a bias for each depth is added to g for the choice alone; the objective has the term
`balance` times the sum of bias(i) sign(F(i) - 1/D), whose gradient moves the biases of popular depths down. Also `z_loss` times the
mean of logsumexp(u)^2. Means are over all tokens. The choice has no gradient; the gate has.

## Cost

D dot products for each token, once.

## Published code

`token_choice_router.py` of raymin0223/mixture_of_recursions. It multiplies by the gate once, at the end: `gate = \"end\"`, the
default. It indexes gates and choices by the place in a compacted batch, so they are wrong once a sequence has no token at a
depth; ours belong to tokens. It moves the biases of loss-free balancing by .001 in each training step outside the optimiser; here
the optimiser moves them, at its own rate. It uses `alpha` 1 with softmax and .1 with sigmoid. Its router with a hidden layer and
its temperature, which is 1 in all configurations, are left out.",
    reference: "Bae et al. 2025, arXiv 2507.10524, token-choice routing, eq. 2.2; the authors' code",
    parameters: &[
        ParameterSpec::choice("router", "softmax", &["softmax", "sigmoid"], "how logits become gates"),
        ParameterSpec::choice("gate", "end", &["end", "each"], "the gate scales the last result, or that of every step"),
        ParameterSpec::real("alpha", 1.0, (0.0, 1e3), "scale of the gates"),
        ParameterSpec::choice("balancing", "loss", &["loss", "loss-free"], "how depths are balanced"),
        ParameterSpec::real("balance", 0.1, (0.0, 1e6), "weight of the balancing"),
        ParameterSpec::real("z_loss", 0.001, (0.0, 1e6), "weight of the squared logsumexp of the router's logits"),
    ],
    examples: &[Example {
        title: "gates .2, .5, .3, and biases .0, -.4, .0: depths without and with the biases",
        run: || {
            let gates = Tensor::new(&[[0.2f64, 0.5, 0.3]], &Device::Cpu)?;
            let biases = Tensor::new(&[0.0f64, -0.4, 0.0], &Device::Cpu)?;
            Ok(format!("{:?} {:?}", choose(&gates, None)?, choose(&gates, Some(&biases))?))
        },
        expect: "[2] [3]",
    }],
    ..PolicyDeclaration::new("mor-token-choice", PolicyKind::Early, |context| {
        let (parameters, most) = (context.parameters.clone(), context.max_depth);
        let bias = || context.variables.get_with_hints(most, "router.bias", Init::Const(0.0));
        let biases = (parameters.text("balancing")? == "loss-free").then(bias).transpose()?;
        let router = Linear::new(context.d_model, most, context.variables.pp("router"))?;
        Ok(Policy::new(PolicyKind::Early, TokenChoice { router, biases, most, parameters }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct TokenChoice {
    router: Linear,
    /// Biases of loss-free balancing, `[D]`.
    biases: Option<Tensor>,
    most: usize,
    parameters: Parameters,
}

/// The depth of each row: that of its largest gate, the lowest of equal ones.
fn choose(gates: &Tensor, biases: Option<&Tensor>) -> Result<Vec<u32>> {
    let values = match biases {
        Some(biases) => gates.broadcast_add(biases)?,
        None => gates.clone(),
    };
    let values: Vec<Vec<f64>> = values.to_dtype(DType::F64)?.to_vec2()?;
    Ok(values.iter().map(|values| HaltingRule::Mode.depth(values)).collect())
}

impl TokenChoice {
    /// Gates of all depths, `[rows, D]`, from the router's logits.
    fn gates(&self, logits: &Tensor) -> Result<Tensor> {
        let gates = match self.parameters.text("router")? {
            "sigmoid" => sigmoid(logits)?,
            _ => softmax(logits, 1)?,
        };
        Ok((gates * self.parameters.real("alpha")?)?)
    }

    /// Chooses from h(0), which is part of every output.
    fn begin(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let logits = self.router.forward(view.states())?;
        let gates = self.gates(&logits)?;
        let depths = choose(&gates.detach(), self.biases.as_ref())?;
        let chosen: Vec<f64> = depths.iter().map(|depth| f64::from(*depth)).collect();
        let chosen = Tensor::from_vec(chosen, depths.len(), logits.device())?.to_dtype(logits.dtype())?;
        memory.replace("gates", &gates);
        memory.replace("depths", &chosen);
        memory.stash("logits", &logits);
        memory.stash("depths", &chosen);
        let output = Output { weight: chosen.ones_like()?, before: None, blend: Blend::Sum };
        Ok(Decision { output: Some(output), ..Decision::new(Halting::Depths(depths)) })
    }
}

impl HaltingPolicy for TokenChoice {
    fn is_asked(&self, _: usize, _: usize) -> bool {
        true
    }

    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let step = view.step();
        if step == 0 {
            return self.begin(view, memory);
        }
        let (Some(gates), Some(depths)) = (memory.get("gates"), memory.get("depths")) else {
            return Err(Error::contract("mor-token-choice", "its choice of the first step is not in its memory"));
        };
        let depths: Vec<f64> = depths.to_dtype(DType::F64)?.to_vec1()?;
        let gate = gates.narrow(1, step - 1, 1)?;
        let ends: Vec<bool> = depths.iter().map(|depth| *depth == step as f64).collect();
        let weight = (gate.squeeze(1)? * indicator(&ends, &gate)?)?;
        let carry = match self.parameters.text("gate")? {
            "each" => {
                let goes_on: Vec<bool> = depths.iter().map(|depth| *depth > step as f64).collect();
                let goes_on = indicator(&goes_on, &gate)?.unsqueeze(1)?;
                // g where the token goes on, 1 where it rests.
                let scale = ((gate - 1.0)? * goes_on)? + 1.0;
                Some(view.states().broadcast_mul(&scale?)?)
            }
            _ => None,
        };
        let output = Some(Output { weight, before: None, blend: Blend::Sum });
        Ok(Decision { output, carry, ..Decision::none() })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let (balance, z_loss) = (self.parameters.real("balance")?, self.parameters.real("z_loss")?);
        let (logits, depths) = (record.stashed("logits")?, record.stashed("depths")?);
        let (Some(logits), Some(depths)) = (logits.first(), depths.first()) else { return Ok(None) };
        let (logits, most) = (&logits.values, self.most);
        let depths: Vec<f64> = depths.values.to_dtype(DType::F64)?.to_vec1()?;
        let share =
            |depth: usize| depths.iter().filter(|own| **own == depth as f64).count() as f64 / depths.len() as f64;
        let shares: Vec<f64> = (1..=most).map(share).collect();
        let constant = |values: Vec<f64>| Tensor::new(values, logits.device())?.to_dtype(logits.dtype());
        let balancing = match &self.biases {
            None => {
                let load = constant(shares.iter().map(|share| share * most as f64).collect())?;
                self.gates(logits)?.broadcast_mul(&load)?.sum(1)?
            }
            Some(biases) => {
                let sign = |share: &f64| match share - 1.0 / most as f64 {
                    excess if excess.abs() < 1e-12 => 0.0,
                    excess => excess.signum(),
                };
                let pull = (biases * constant(shares.iter().map(sign).collect())?)?.sum_keepdim(0)?;
                pull.broadcast_as(depths.len())?
            }
        };
        // logsumexp(u) = u - log softmax(u), at any depth.
        let z = (logits - log_softmax(logits, 1)?)?.narrow(1, 0, 1)?.squeeze(1)?.sqr()?;
        Ok(Some(((balancing * balance)? + (z * z_loss)?)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * (d_model * self.most) as f64
    }
}
