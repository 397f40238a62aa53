//! `ponderlm-mask`: a mask of attention that is soft in training and prunes tokens in evaluation.

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::ops::log_sigmoid;
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "PonderLM-3: a soft mask of attention and updates in training, hard pruning in evaluation.",
    documentation: "\
## What it computes

After step d, a linear gate keeps a token with the probability g(d) = sigmoid(w h(d) + b). The mask is what is left,
m(d) = g(1) ... g(d), and m(0) = 1, so it never rises. In step d + 1

* a token counts m(d) times as a key: ln m(d) is added to its attention scores, in every layer of the core;
* a token moves by the share m(d) of its step: h(d+1) = h(d) + m(d) (R(h(d)) - h(d)).

A token with m(d) = 0 therefore takes no part in step d + 1, neither as a key nor by moving.

## When it halts

In evaluation, after the first step d with m(d) < `threshold`: the token is pruned. The others keep their soft masks. With
`halted_keys_values = \"skip\"`, a pruned token is no key any more, which is what a mask of 0 means; other options of
halted keys and values let it remain a key with its last weight. In training no token halts.

The gate starts near sigmoid(`bias`) = 0.95, so a model is trained from nearly full depth and learns to prune.

## Objective

`gamma` times the sum of m(d) over the steps before D, the expected number of steps after the first, averaged over all tokens.

## Cost

2 d_model operations for every executed step of a token. The mask adds one number to each head of queries and keys.

## Published code

None: transcribed from the abstract, which names a differentiable mask of attention in training and the matching hard
pruning in inference. Readings, ours: the gate is linear and reads the present state, masks multiply over the steps, they
scale updates too, so that the two phases agree on a mask of 0, and `gamma` prices a step.",
    reference: "PonderLM-3, arXiv 2603.02023, abstract",
    fits: &[HaltedKeysValues::Skip],
    parameters: &[
        ParameterSpec::real("gamma", 0.01, (0.0, 1e6), "weight of the expected number of steps"),
        ParameterSpec::real("bias", 3.0, (-100.0, 100.0), "initial value of b: 3 gives g = 0.95"),
        ParameterSpec::real("threshold", 0.1, (0.0, 1.0), "mask below which a token is pruned").knob(Trend::Shallower),
    ],
    examples: &[Example {
        title: "g = .9, .5, .2: masks; pruned below 0.1 after step 3",
        run: || {
            let logit = |g: f64| (g / (1.0 - g)).ln();
            let (mut log_mask, mut lines) = (Tensor::zeros(1, DType::F64, &Device::Cpu)?, Vec::new());
            for g in [0.9, 0.5, 0.2] {
                log_mask = (log_mask + log_sigmoid(&Tensor::new(&[logit(g)], &Device::Cpu)?)?)?;
                lines.push(format!("{:.3}", log_mask.exp()?.get(0)?.to_scalar::<f64>()?));
            }
            Ok(lines.join(", "))
        },
        expect: "0.900, 0.450, 0.090",
    }],
    ..PolicyDeclaration::new("ponderlm-mask", PolicyKind::Soft, |context| {
        let (bias, gate) = (context.parameters.real("bias")?, context.variables.pp("gate"));
        let policy = PonderlmMask {
            gate: Linear::with_bias_from(bias, context.d_model, 1, gate)?,
            gamma: context.parameters.real("gamma")?,
            threshold: context.parameters.real("threshold")?,
        };
        Ok(Policy::new(PolicyKind::Soft, policy))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct PonderlmMask {
    gate: Linear,
    gamma: f64,
    threshold: f64,
}

impl HaltingPolicy for PonderlmMask {
    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let (states, rows) = (view.states(), view.rows().len());
        let Some(before) = memory.get("log_mask").cloned() else {
            let log_mask = Tensor::zeros(rows, states.dtype(), states.device())?;
            memory.replace("log_mask", &log_mask);
            return Ok(Decision { log_key_weights: Some(log_mask), ..Decision::none() });
        };
        let log_mask = (before + log_sigmoid(&self.gate.forward(states)?.squeeze(1)?)?)?;
        let mask = log_mask.exp()?;
        memory.replace("log_mask", &log_mask);
        memory.stash("mask", &mask);
        let scores: Vec<f64> = mask.to_dtype(DType::F64)?.to_vec1()?;
        let prunes = matches!(view.phase(), Phase::Evaluation);
        let halts = scores.iter().map(|mask| prunes && *mask < self.threshold).collect();
        Ok(Decision {
            scores: Some(scores),
            gate: Some(Gate { values: mask, combine: Combine::Residual }),
            log_key_weights: Some(log_mask),
            ..Decision::new(Halting::Halt(halts))
        })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let mut steps = None;
        for mask in record.stashed("mask")? {
            steps = Objective::add(steps, Some(mask.over_all_rows()?))?;
        }
        Ok(steps.map(|steps| steps * self.gamma).transpose()?)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64 + 8.0
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::{check_policy, check_policy_with};
    use haltbench_sdk::parameters::Value;

    #[test]
    fn ponderlm_mask_conforms() {
        check_policy(&super::DECLARATION);
        check_policy_with(&super::DECLARATION, &[("bias", Value::Real(0.0)), ("threshold", Value::Real(0.4))]);
    }
}
