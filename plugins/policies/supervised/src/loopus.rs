//! `loopus`: a confidence head on the last position halts a sequence (LoopUS).

use haltbench_sdk::layers::{Linear, Norm, NormShape};
use haltbench_sdk::ops::silu;
use haltbench_sdk::prelude::*;

use crate::reads::Reads;
use crate::success::{Success, head_loss};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "LoopUS: a confidence head on the last position, trained on token accuracy, halts the whole sequence.",
    documentation: "\
## What it computes

q(d) = sigmoid(w·LayerNorm(s) + b) after each step, where s is the state of the sequence's last token. b starts at 0: q is
near .5 at first, below the default threshold, so that every sequence takes D steps.

## When it halts

All tokens of a sequence halt at the first step at which, by `exit`, q(d) > `threshold` (`confidence`), 1 - (1 - q(1)) ...
(1 - q(d)) > `threshold` (`cumulative`), or the last token's state has moved by |s(d) - s(d-1)| < `distance_threshold`, an
absolute distance (`distance`). The head reads the end of the sequence, so the policy is not causal and cannot decode.

## Objective

The mean over steps of the answers' cross-entropy CE(d) and of BCE(q(d); share of the sequence's answers that are right),
the latter averaged over sequences with answers, plus `beta` times the mean over the steps d >= 2 of SiLU(CE(d) - CE(d-1)),
with CE averaged over the batch: a step should not raise the loss.

## Cost

One LayerNorm and one dot product, charged to every token, although a sequence needs only one; `distance` a norm instead.

## Published code

Thrillcrazyer/LoopUS, models/modeling_lds.py and training_runtime.py. It compares step 1 with the state before the loops,
which has no read-out of its own here; detaches the states after every step where we backpropagate through all; and
supervises some steps drawn at random where we supervise all. It trains no layer before the
loops. With a cache it halts no sequence before the others.",
    reference: "LoopUS 2026, arXiv 2605.11011; the authors' code",
    recipe: Recipe { trains: Trains::All, ..Recipe::OBJECTIVE },
    causal: Holds::Never,
    parameters: &[
        ParameterSpec::real("beta", 1.0, (0.0, 1e6), "weight of the penalty for steps that raise the loss"),
        ParameterSpec::choice("exit", "confidence", &["confidence", "cumulative", "distance"], "what is compared")
            .knob(Trend::None),
        ParameterSpec::real("threshold", 0.9, (0.0, 1.0), "confidence above which a sequence halts").knob(Trend::Deeper),
        ParameterSpec::real("distance_threshold", 0.01, (0.0, 1e6), "distance below which a sequence halts")
            .knob(Trend::Shallower),
    ],
    examples: &[Example {
        title: "cumulative confidence after q = .5, .6, .7",
        run: || {
            let mut survival = 1.0;
            Ok(format!("{:.2?}", [0.5, 0.6, 0.7].map(|q| 1.0 - survived(&mut survival, q))))
        },
        expect: "[0.50, 0.80, 0.94]",
    }],
    ..PolicyDeclaration::new("loopus", PolicyKind::Online, |context| {
        let (parameters, variables) = (context.parameters, &context.variables);
        let norm = NormShape::Layer { epsilon: 1e-5 };
        Ok(Policy::online(LoopUs {
            norm: Norm::new(norm, context.d_model, variables.pp("norm"))?,
            head: Linear::with_bias(context.d_model, 1, variables.pp("head"))?,
            beta: parameters.real("beta")?,
            exit: parameters.text("exit")?.to_owned(),
            threshold: parameters.real("threshold")?,
            distance: parameters.real("distance_threshold")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct LoopUs {
    norm: Norm,
    head: Linear,
    beta: f64,
    exit: String,
    threshold: f64,
    distance: f64,
}

/// Probability of no halt after one more step.
fn survived(survival: &mut f64, q: f64) -> f64 {
    *survival *= 1.0 - q;
    *survival
}

impl LoopUs {
    /// Logits of q for what the head reads, `[sequences]`.
    fn logits(&self, read: &Tensor) -> Result<Tensor> {
        Ok(self.head.forward(&self.norm.forward(read)?)?.squeeze(1)?)
    }
}

impl OnlinePolicy for LoopUs {
    fn init(&self, view: &View, memory: &mut RowMemory) -> Result<()> {
        match self.exit.as_str() {
            "distance" => memory.replace("state", view.states()),
            "cumulative" => memory.replace("survival", &Tensor::ones(view.rows().len(), DType::F64, &Device::Cpu)?),
            _ => None,
        };
        Ok(())
    }

    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let (rows, layout) = (view.rows(), view.layout());
        let read = Reads::Last.of("loopus", view.states(), rows, layout)?;
        if self.exit == "distance" {
            let before = Reads::Last.of("loopus", &memory.replaced("state", view.states())?, rows, layout)?.states;
            let moved = (&read.states - before)?.to_dtype(DType::F64)?;
            let scores: Vec<f64> = read.spread(&moved.sqr()?.sum(1)?.sqrt()?.to_vec1::<f64>()?);
            let halts = scores.iter().map(|score| *score < self.distance).collect();
            return Ok(OnlineDecision::Scored { scores, halts });
        }
        let q: Vec<f64> = sigmoid(&self.logits(&read.states)?.to_dtype(DType::F64)?)?.to_vec1()?;
        let mut scores = read.spread(&q);
        if self.exit == "cumulative" {
            let mut survival: Vec<f64> =
                memory.get("survival").map_or_else(|| Ok(vec![1.0; scores.len()]), Tensor::to_vec1)?;
            scores = survival.iter_mut().zip(&scores).map(|(survival, q)| 1.0 - survived(survival, *q)).collect();
            memory.replace("survival", &Tensor::new(survival, &Device::Cpu)?);
        }
        let halts = scores.iter().map(|score| *score > self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let most = pass.record.max_depth;
        let (groups, rows) = (pass.answers_of_sequences(), RowSet::all(pass.layout.rows()));
        let (mut answers, mut halting, mut before): (Option<Tensor>, Option<Tensor>, Option<Tensor>) =
            (None, None, None);
        for step in 1..=most {
            let losses = (pass.losses_at(step)? / most as f64)?;
            let read = Reads::Last.of("loopus", pass.states(step)?, &rows, pass.layout)?;
            let head = head_loss(&self.logits(&read.states)?, Success::Accuracy.of(pass, step, &groups)?)?;
            halting = Objective::add(halting, Some((head / most as f64)?))?;
            // Means over the batch, times 1 / D.
            let mean = losses.mean_all()?;
            if let Some(before) = before.replace(mean.clone()) {
                let rise = ((mean - before)? * most as f64)?;
                let penalty = (silu(&rise.reshape(1)?)? * (self.beta / (most - 1) as f64))?;
                answers = Objective::add(answers, Some(penalty.broadcast_as(losses.shape())?))?;
            }
            answers = Objective::add(answers, Some(losses))?;
        }
        let answers = answers.map_or_else(|| pass.losses.zeros_like(), Ok)?;
        let tokens = halting.map(|halting| pass.per_sequence(&halting)).transpose()?.flatten();
        Ok(Objective { answers, tokens })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        (if self.exit == "distance" { 3.0 } else { 10.0 }) * d_model as f64
    }
}
