//! `gut`: the dynamic halt of the Gated Universal Transformer, for a whole sequence or for each token.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::means::{Scope, running_sums};
use crate::perceptron::{Perceptron, select};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Gated Universal Transformer: a whole sequence halts, by the mean of its states before and after a step.",
    documentation: "\
## What it computes

After step d, alpha(d) = sigmoid(w2 GELU(W1 [m(d-1); m(d)] + b1) + b2), where m(d) is the mean of h(d) over the sequence. The
state h(d-1), before the step, gets the weight alpha(d) S(d-1), and S(d) = S(d-1) (1 - alpha(d)) is left, with S(0) = 1. The
last state gets what is left. `scope` says what is averaged: all tokens of the `sequence`; the tokens up to each one
(`causal`, so that tokens halt one by one); or nothing (`token`). With `reads = \"state\"` the perceptron reads m(d-1) alone.
In the scope `token`, keys and values of the next step are projected from the soft state, the mixture if the token halted now.

## When it halts

At the first step d at which 1 - S(d) reaches `threshold`. This step is discarded: the output is the mixture without h(d), in
which h(d-1) has S(d-1), so a token that halts at step d has taken d steps but its output mixes h(0), ..., h(d-1). A sequence of
S tokens also halts after S + 1 steps if `length_cap` is set; this applies to the scope `sequence` alone, because other tokens do
not know how long their sequence will be. Training halts at `training_threshold`.

alpha starts near sigmoid(`bias`) = 1/2: the weight left after d steps is 2^-d, and with the default threshold tokens halt at
the tenth step, or at D.

## Objective

`gamma` times the expected number of steps, the sum of S(d-1) over the steps that are not discarded, averaged over all tokens.

## Cost

A perceptron of d_model hidden units for every executed step of a token, about 4 d_model^2 operations. The authors run it
once for each sequence in the scope `sequence`; the engine charges every token.

## Published code

`models/encoders/UniversalTransformerEncoder.py` of JRC1995/InvestigatingRecurrentTransformers. There, the block is also
computed for tokens that have halted, and its result enters the running means of later tokens, although it is discarded; here a
token that halts at step N enters those of later steps with h(N-1), so that nothing is computed for it. There, the cap on steps by the length of
the sequence also holds for causal models, where it reads the future. Costs are averaged over the tokens of each sequence and
then over sequences; here over all tokens. START and END tokens, which the authors add to bidirectional models, are the task's.
Its `attn_fn = MHA` ignores the soft state; `FlashMHA` is the reference.",
    reference: "Ray Chowdhury and Caragea 2024, arXiv 2402.00976, global mean-based dynamic halt; the authors' code",
    causal: Holds::Unless("scope", "sequence"),
    parameters: &[
        ParameterSpec::choice("scope", "sequence", &["sequence", "causal", "token"], "what the perceptron's input averages"),
        ParameterSpec::choice("reads", "transition", &["transition", "state"], "means before and after a step, or before"),
        ParameterSpec::real("gamma", 0.1, (0.0, 1e6), "weight of the expected number of steps"),
        ParameterSpec::real("bias", 0.0, (-100.0, 100.0), "initial value of b2: 0 gives alpha = 1/2"),
        ParameterSpec::flag("length_cap", true, "whether a sequence of S tokens halts after S + 1 steps"),
        ParameterSpec::real("training_threshold", 0.999, (0.0, 1.0), "mass at which training halts"),
        ParameterSpec::real("threshold", 0.999, (0.0, 1.0), "mass at which a step is discarded and the token halts")
            .knob(Trend::Deeper),
    ],
    examples: &[Example {
        title: "alpha = .3, .6, .9: weights of the states before the steps, and expected steps after each",
        run: || {
            let (mut left, mut steps, mut lines) = (Tensor::new(&[1.0f64], &Device::Cpu)?, 0.0, Vec::new());
            for alpha in [0.3, 0.6, 0.9] {
                steps += left.get(0)?.to_scalar::<f64>()?;
                let split = Split::new(&left, &Tensor::new(&[alpha], &Device::Cpu)?)?;
                lines.push(format!("{:.3} {steps:.2}", split.weight.get(0)?.to_scalar::<f64>()?));
                left = split.left;
            }
            Ok(lines.join(", "))
        },
        expect: "0.300 1.00, 0.420 1.70, 0.252 1.98",
    }],
    ..PolicyDeclaration::new("gut", PolicyKind::Soft, |context| {
        let (parameters, variables) = (context.parameters, context.variables.pp("gate"));
        let is_transition = parameters.text("reads")? == "transition";
        let inputs = if is_transition { 2 * context.d_model } else { context.d_model };
        let bias = parameters.real("bias")?;
        Ok(Policy::soft(Gut {
            gate: Perceptron {
                inner: Linear::with_bias(inputs, context.d_model, variables.pp("inner"))?,
                outer: Linear::with_bias_from(bias, context.d_model, 1, variables.pp("outer"))?,
            },
            scope: Scope::from_parameters(parameters)?,
            is_transition,
            gamma: parameters.real("gamma")?,
            training_threshold: parameters.real("training_threshold")?,
            threshold: parameters.real("threshold")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Gut {
    gate: Perceptron,
    scope: Scope,
    is_transition: bool,
    gamma: f64,
    training_threshold: f64,
    threshold: f64,
}

/// What is left before a step, split by alpha.
struct Split {
    /// Weight of the state before the step, `[rows]`.
    weight: Tensor,
    /// What is left after it, `[rows]`.
    left: Tensor,
}

impl Split {
    fn new(left: &Tensor, alpha: &Tensor) -> Result<Self> {
        Ok(Self { weight: (left * alpha)?, left: (left * alpha.affine(-1.0, 1.0)?)? })
    }
}

impl SoftPolicy for Gut {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let (states, rows) = (view.states(), view.rows().len());
        let zero = Tensor::zeros(rows, states.dtype(), states.device())?;
        self.scope.check(view)?;
        let before = memory.replace("state", states);
        let (Some(before), Some(left)) = (before, memory.get("left").cloned()) else {
            memory.replace("left", &zero.ones_like()?);
            match self.scope {
                Scope::Causal => _ = memory.replace("frozen", &states.zeros_like()?),
                Scope::Token => _ = memory.replace("sum", &states.zeros_like()?),
                Scope::Sequence { .. } => {}
            }
            return Ok(SoftDecision::new(zero, vec![true; rows]));
        };
        let frozen = memory.get("frozen").cloned();
        let pooled = self.scope.pooled(view, &before, states, frozen.as_ref())?;
        let read = if self.is_transition { pooled } else { pooled.narrow(1, 0, states.dim(1)?)? };
        let split = Split::new(&left, &sigmoid(&self.gate.forward(&read)?.squeeze(1)?)?)?;
        let threshold = match view.phase() {
            Phase::Training(_) => self.training_threshold,
            Phase::Evaluation => self.threshold,
        };
        let lefts: Vec<f64> = split.left.to_dtype(DType::F64)?.to_vec1()?;
        let scores: Vec<f64> = lefts.iter().map(|left| 1.0 - left).collect();
        let keeps: Vec<bool> = scores.iter().map(|score| *score < threshold).collect();
        let goes_on = |(row, keeps): (usize, &bool)| *keeps && view.step() < self.scope.last(view, row);
        let runs: Vec<bool> = view.rows().iter().zip(&keeps).map(goes_on).collect();
        memory.stash("counted", &select(&keeps, &left, &zero)?);
        memory.replace("left", &split.left);
        // What a row that halts offers from now on to keys and values, and to means.
        let column = |weights: &Tensor| weights.unsqueeze(1);
        let (mut rests, mut keys_values) = (select(&keeps, states, &before)?, None);
        if let Some(sum) = memory.get("sum").cloned() {
            let earlier = (&sum + before.broadcast_mul(&column(&left)?)?)?;
            let sum = (sum + before.broadcast_mul(&column(&split.weight)?)?)?;
            let soft = (&sum + states.broadcast_mul(&column(&split.left)?)?)?;
            memory.replace("sum", &sum);
            rests = select(&keeps, &soft, &earlier)?;
            keys_values = Some(soft);
        }
        let is_halting = runs.contains(&false);
        if let Some(frozen) = frozen.filter(|_| is_halting) {
            let halted = select(&runs, &rests.zeros_like()?, &rests)?;
            memory.replace("frozen", &(frozen + running_sums(view, &halted)?)?);
        }
        let ends: Vec<bool> = keeps.iter().zip(&runs).map(|(keeps, runs)| *keeps && !runs).collect();
        Ok(SoftDecision {
            before: Some(select(&keeps, &split.weight, &left)?),
            // After step D no depth depends on the comparison, only the last weights.
            scores: (!view.is_last()).then_some(scores),
            carry: is_halting.then(|| select(&runs, states, &rests)).transpose()?,
            keys_values,
            ..SoftDecision::new(select(&ends, &split.left, &zero)?, runs)
        })
    }

    fn regulariser(&self, record: &HaltingRecord) -> Result<Option<Tensor>> {
        let mut steps = None;
        for counted in record.stashed("counted")? {
            steps = Objective::add(steps, Some(counted.over_all_rows()?))?;
        }
        Ok(steps.map(|steps| steps * self.gamma).transpose()?)
    }

    fn reads_earlier_tokens(&self) -> bool {
        self.scope != Scope::Token
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        let width = d_model as f64;
        let inputs = if self.is_transition { 2.0 * width } else { width };
        2.0 * inputs * width + 12.0 * width
    }
}
