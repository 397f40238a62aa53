//! `stick-breaking`: the halting of the Sparse Universal Transformer.

use haltbench_sdk::candle_nn::ops::log_softmax;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::perceptron::{Perceptron, select};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Sparse Universal Transformer: each step breaks a share off the stick; keys and values are soft mixtures.",
    documentation: "\
## What it computes

After step d < D, a perceptron with a GELU reads h(d) and gives two log-probabilities: g1 of halting, g0 of going on. The
rest of the stick is S(d) = S(d-1) g0(d), with S(0) = 1; the state h(d) gets the weight p(d) = S(d-1) g1(d). The state at which
a token halts gets all of S(d-1), so weights sum to one, and the output is the mean of the states under them. Keys and values
of step d + 1 are projected from the soft state p(1) h(1) + ... + p(d-1) h(d-1) + S(d-1) h(d), queries from h(d). A halted token
offers its output.

## When it halts

As soon as 1 - S(d) exceeds `threshold`, and after step D. Training halts tokens at `training_threshold`, so `threshold` is a
knob. Set it to 1 to take all D steps.

The gate starts near g0 = g1 = 1/2: after d steps the stick is 2^-d long, and with the default threshold tokens take ten
steps, or D if that is less. There is no initial halting bias, as in the authors' code.

## Objective

`tau` times the expected depth, the mean of the steps 1, ..., D under the weights, averaged over all tokens.

## Cost

A perceptron of d_model hidden units for every executed step of a token: about 2 d_model^2 operations.

## Published code

`halting.py` of shawntan/SUT. It counts expected depth from 0, so ours is one more: four steps with g1 = 1/2 have .875 there
and 1.875 here. It goes on to add halting probabilities to its expected depth after a token has been cut; here a token's mass
ends at its last step. Its last layer starts at zero, so that the first layer has no gradient in the first training step; ours
starts at a standard deviation of .02. The released translation models set the weight of the objective to 0.",
    reference: "Tan et al. 2023, arXiv 2310.07096, stick-breaking halting; the authors' halting.py",
    parameters: &[
        ParameterSpec::real("tau", 0.01, (0.0, 1e6), "weight of the expected depth"),
        ParameterSpec::real("training_threshold", 0.999, (0.0, 1.0), "mass above which a token halts in training"),
        ParameterSpec::real("threshold", 0.999, (0.0, 1.0), "mass above which a token halts").knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "halting probabilities of 1/2 and D = 4: weights and expected depth",
        run: || {
            let (mut rest, mut weights) = (1.0, Vec::new());
            for _ in 1..4 {
                let broken = break_stick(&Tensor::new(&[rest], &Device::Cpu)?, &Tensor::new(&[[0.0, 0.0]], &Device::Cpu)?)?;
                weights.push(broken.halted.get(0)?.to_scalar::<f64>()?);
                rest = broken.rest.get(0)?.to_scalar::<f64>()?;
            }
            weights.push(rest);
            let depth: f64 = weights.iter().zip(1..).map(|(weight, step)| weight * f64::from(step)).sum();
            Ok(format!("{weights:?}, {depth}"))
        },
        expect: "[0.5, 0.25, 0.125, 0.125], 1.875",
    }],
    ..PolicyDeclaration::new("stick-breaking", PolicyKind::Soft, |context| {
        let (width, variables) = (context.d_model, context.variables.pp("gate"));
        Ok(Policy::soft(StickBreaking {
            gate: Perceptron {
                inner: Linear::with_bias(width, width, variables.pp("inner"))?,
                outer: Linear::spread(width, 2, Some(INITIAL), variables.pp("outer"))?,
            },
            tau: context.parameters.real("tau")?,
            training_threshold: context.parameters.real("training_threshold")?,
            threshold: context.parameters.real("threshold")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

/// Initial standard deviation of the gate's last layer: halting probabilities start near one half.
const INITIAL: f64 = 0.02;

struct StickBreaking {
    gate: Perceptron,
    tau: f64,
    training_threshold: f64,
    threshold: f64,
}

/// A stick after one more break.
struct Broken {
    /// The piece that was broken off, `[rows]`.
    halted: Tensor,
    /// What is left, `[rows]`.
    rest: Tensor,
}

/// Breaks `rest` `[rows]` by the gate's `logits` `[rows, 2]`: class 0 goes on, class 1 halts.
fn break_stick(rest: &Tensor, logits: &Tensor) -> Result<Broken> {
    let shares = log_softmax(logits, 1)?.exp()?;
    let piece = |class: usize| rest * shares.get_on_dim(1, class)?;
    Ok(Broken { halted: piece(1)?, rest: piece(0)? })
}

impl SoftPolicy for StickBreaking {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let (states, rows) = (view.states(), view.rows().len());
        let zero = Tensor::zeros(rows, states.dtype(), states.device())?;
        if view.step() == 0 {
            return Ok(SoftDecision::new(zero, vec![true; rows]));
        }
        let rest = memory.get("rest").cloned().map_or_else(|| zero.ones_like(), Ok)?;
        let sum = memory.get("sum").cloned().map_or_else(|| states.zeros_like(), Ok)?;
        if view.is_last() {
            return Ok(SoftDecision::new(rest, vec![false; rows]));
        }
        let soft = (&sum + states.broadcast_mul(&rest.unsqueeze(1)?)?)?;
        let broken = break_stick(&rest, &self.gate.forward(states)?)?;
        let rests: Vec<f64> = broken.rest.to_dtype(DType::F64)?.to_vec1()?;
        let scores: Vec<f64> = rests.iter().map(|rest| 1.0 - rest).collect();
        let threshold = match view.phase() {
            Phase::Training(_) => self.training_threshold,
            Phase::Evaluation => self.threshold,
        };
        let runs: Vec<bool> = scores.iter().map(|score| *score <= threshold).collect();
        memory.replace("sum", &(sum + states.broadcast_mul(&broken.halted.unsqueeze(1)?)?)?);
        memory.replace("rest", &broken.rest);
        // A resting row offers its state to keys and values: from now on, its output.
        let carry = runs.contains(&false).then(|| select(&runs, states, &soft)).transpose()?;
        let weight = select(&runs, &broken.halted, &rest)?;
        Ok(SoftDecision { scores: Some(scores), carry, keys_values: Some(soft), ..SoftDecision::new(weight, runs) })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let Some(weights) = &record.weights else { return Ok(None) };
        let steps: Vec<f64> = (0..=record.max_depth).map(|step| step as f64).collect();
        let steps = Tensor::new(steps, weights.device())?.to_dtype(weights.dtype())?;
        Ok(Some((weights.broadcast_mul(&steps)?.sum(1)? * self.tau)?))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        let width = d_model as f64;
        2.0 * width * width + 8.0 * width
    }
}
