//! `act`: adaptive computation time (Graves 2016).

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::worked::{of_width_one, shown, weights};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "ACT: halting units add up to one; the output is the mean of a token's states under them.",
    documentation: "\
## What it computes

h(d) = sigmoid(w·s(d) + b) after step d. With N the first step at which the sum of h reaches 1 - `epsilon`, or D, the weights
are h(1), ..., h(N-1) and the remainder R = 1 - h(1) - ... - h(N-1); the output is the mean of s(1), ..., s(N) under them.

## When it halts

After N steps. b starts at `bias`. With a bias of 1, as in the paper, every token starts at two steps; 0 gives 2, -1 gives 4, -2
gives 9 and -3 gives 21. Training rarely leaves a shallow start, so lower the bias to start near D / 2.

## Objective

`tau` · (N + R), averaged over all tokens. N has no gradient, so the cost falls as h(d) rises for d < N, and h(N) has no
gradient. A token that halts after the first step costs 2.

## Cost

One dot product for every executed step of a token.

## Published code

DeepMind's Sonnet, branch v1, `pondering_rnn.py`: its remainder is 0 for a token that halts after the first step, where the paper's
is 1, and it halts above the threshold, where the paper halts at it. Two widely copied PyTorch versions are wrong: one adds states
without weights, the other counts a halting probability twice and cuts the gradient of the remainder.",
    reference: "Graves 2016, arXiv 1603.08983, eqs. 5 to 14; halting at >= 1 - epsilon",
    parameters: &[
        ParameterSpec::real("tau", 0.01, (0.0, 1e6), "weight of the ponder cost"),
        ParameterSpec::real("epsilon", 0.01, (0.0, 0.999), "a token halts once the sum reaches 1 - epsilon"),
        ParameterSpec::real("bias", 1.0, (-100.0, 100.0), "initial value of b: 1 halts after two steps"),
    ],
    examples: &[
        Example {
            title: "halting probabilities .3, .25, .6, .9 of D = 9 steps",
            run: || worked(9, &[0.5, 0.3, 0.25, 0.6, 0.9]),
            expect: "3 steps, 0.3000 0.2500 0.4500",
        },
        Example {
            title: "the same with D = 2: the last weight is the remainder",
            run: || worked(2, &[0.5, 0.3, 0.25, 0.6, 0.9]),
            expect: "2 steps, 0.3000 0.7000",
        },
        Example {
            title: "a first probability of .995 halts at once, with all of the weight",
            run: || worked(9, &[0.5, 0.995]),
            expect: "1 steps, 1.0000",
        },
    ],
    ..PolicyDeclaration::new("act", PolicyKind::Soft, |context| {
        let parameters = context.parameters;
        let (bias, variables) = (parameters.real("bias")?, context.variables.pp("halting"));
        Ok(Policy::soft(Act {
            halting: Linear::with_bias_from(bias, context.d_model, 1, variables)?,
            tau: parameters.real("tau")?,
            full: 1.0 - parameters.real("epsilon")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

/// Steps and weights of a token with these halting probabilities after 0, 1, ... steps.
fn worked(max_depth: usize, probabilities: &[f64]) -> Result<String> {
    let policy = of_width_one(&DECLARATION, &[], max_depth)?;
    Ok(shown(weights(&policy, probabilities, max_depth)?))
}

struct Act {
    halting: Linear,
    tau: f64,
    full: f64,
}

impl SoftPolicy for Act {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let rows = view.rows().len();
        let zero = Tensor::zeros(rows, view.states().dtype(), view.states().device())?;
        if view.step() == 0 {
            memory.replace("sum", &zero);
            return Ok(SoftDecision::new(zero, vec![true; rows]));
        }
        let unit = sigmoid(&self.halting.forward(view.states())?.squeeze(1)?)?;
        let before = memory.get("sum").cloned().unwrap_or(zero);
        let sum = (&before + &unit)?;
        memory.replace("sum", &sum);
        let sums: Vec<f64> = sum.to_dtype(DType::F64)?.to_vec1()?;
        let goes_on: Vec<bool> = sums.iter().map(|sum| *sum < self.full && !view.is_last()).collect();
        let mask: Vec<u8> = goes_on.iter().map(|goes_on| u8::from(*goes_on)).collect();
        let mask = Tensor::from_vec(mask, rows, unit.device())?;
        let weight = mask.where_cond(&unit, &before.affine(-1.0, 1.0)?)?;
        // After step D nothing is compared.
        let scores = (!view.is_last()).then_some(sums);
        Ok(SoftDecision { scores, ..SoftDecision::new(weight, goes_on) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let depths = record.depths.iter();
        let columns = Tensor::from_vec(depths.clone().copied().collect(), (record.depths.len(), 1), weights.device())?;
        let steps: Vec<f64> = depths.map(|depth| f64::from(*depth)).collect();
        let steps = Tensor::from_vec(steps, record.depths.len(), weights.device())?.to_dtype(weights.dtype())?;
        Ok(Some(((weights.gather(&columns, 1)?.squeeze(1)? + steps)? * self.tau)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}
