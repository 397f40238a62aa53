//! `oracle-supervised`: a decider that is trained to tell whether a token needs another step (Think-at-Hard).

use haltbench_sdk::layers::Linear;
use haltbench_sdk::policy::softplus;
use haltbench_sdk::prelude::*;

use crate::labels::{Labels, worked_example};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Think-at-Hard's decider: trained by cross-entropy to tell whether a token needs another step.",
    documentation: "\
## What it computes

u(d) = w·x(d) + b after each step, where x is h(d), followed by the `top_logits` largest logits in descending order. b
starts at `bias`: 2 makes sigmoid(u) .88, above the default threshold, so that no token halts before the decider has learned
to.

## When it halts

At the first step with sigmoid(u) <= `threshold`: sigmoid(u) is the probability that another step is needed.

## Objective

The first stage trains the model with a loss at every step; the second trains the decider alone, on labels: 1 if a token
needs another step after step d. `labels` says when: until the first right prediction (`first-correct`; in all steps if none
is right), until the first that equals the last (`first-consistent`), until all further ones equal the last (`stable`), or
after every wrong prediction (`mismatch`). The loss is -(`positive_weight` y log sigmoid(u) + (1 - y) log(1 - sigmoid(u))),
averaged over answers and steps 1..D-1, or, with `counts = \"until-needed\"`, over all steps of all answers together, each
answer up to its first label 0. Labels act in training alone, so the policy may be ranked.

## Cost

One dot product for every executed step of a token, and with `top_logits` a read-out of the logits.

## Published code

thu-nics/TaH: two iterations, where `mismatch` and `first-correct` are the same; the state and the 100 largest logits
(`top_logits` = 100; our default of 0 saves the read-out at every step), positive weight 4.8, threshold .8. It gives a
larger network the features; ours is linear.",
    reference: "Think-at-Hard 2025, arXiv 2511.08577; labels for more than two depths are ours",
    recipe: Recipe::EVERY_EXIT,
    stages: &[
        RecipeStage { share: 1.0, recipe: Recipe::EVERY_EXIT, when: Holds::Always },
        RecipeStage { share: 0.25, recipe: Recipe::OBJECTIVE, when: Holds::Always },
    ],
    parameters: &[
        ParameterSpec::choice(
            "labels",
            "first-correct",
            &["first-correct", "first-consistent", "stable", "mismatch"],
            "when a token needs another step",
        ),
        ParameterSpec::choice("counts", "all", &["all", "until-needed"], "the steps that the loss counts"),
        ParameterSpec::real("positive_weight", 4.8, (1e-6, 1e6), "weight of the label 1"),
        ParameterSpec::integer("top_logits", 0, (0, 1 << 20), "largest logits in the input, at most the vocabulary"),
        ParameterSpec::real("bias", 2.0, (-100.0, 100.0), "initial value of b"),
        ParameterSpec::real("threshold", 0.8, (0.0, 1.0), "probability up to which a token halts").knob(Trend::Shallower),
    ],
    examples: &[Example {
        title: "first label 0 for the predictions 4, 7, 4, 7, 7 and the target 4, for each choice of `labels`",
        run: || Ok(worked_example()),
        expect: "[1, 2, 4, 1]",
    }],
    ..PolicyDeclaration::new("oracle-supervised", PolicyKind::Online, |context| {
        let parameters = context.parameters;
        let top_logits = parameters.integer("top_logits")?;
        if top_logits > context.vocabulary {
            let expected = format!("at most {}, the tokens of the vocabulary", context.vocabulary);
            return Err(Error::invalid("parameter `top_logits` of oracle-supervised", expected, top_logits));
        }
        let (bias, inputs) = (parameters.real("bias")?, context.d_model + top_logits);
        Ok(Policy::online(OracleSupervised {
            decider: Linear::with_bias_from(bias, inputs, 1, context.variables.pp("decider"))?,
            top_logits,
            labels: Labels::from_name(parameters.text("labels")?),
            until_needed: parameters.text("counts")? == "until-needed",
            positive_weight: parameters.real("positive_weight")?,
            threshold: parameters.real("threshold")?,
        }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct OracleSupervised {
    decider: Linear,
    top_logits: usize,
    labels: Labels,
    until_needed: bool,
    positive_weight: f64,
    threshold: f64,
}

impl OracleSupervised {
    /// u of each row, `[rows]`; `logits` are read only if they are part of the input.
    fn decide(&self, states: &Tensor, logits: impl Fn() -> Result<Tensor>) -> Result<Tensor> {
        let inputs = match self.top_logits {
            0 => states.clone(),
            count => Tensor::cat(&[states, &largest(&logits()?, count)?.to_dtype(states.dtype())?], 1)?,
        };
        Ok(self.decider.forward(&inputs)?.squeeze(1)?)
    }
}

/// The `count` largest logits of each row in descending order, `[rows, count]`, without gradients.
fn largest(logits: &Tensor, count: usize) -> Result<Tensor> {
    let mut rows: Vec<Vec<f64>> = logits.to_dtype(DType::F64)?.to_vec2()?;
    rows.iter_mut().for_each(|row| row.sort_by(|one, other| other.total_cmp(one)));
    let values: Vec<f64> = rows.iter().flat_map(|row| row[..count].iter().copied()).collect();
    Ok(Tensor::from_vec(values, (rows.len(), count), logits.device())?)
}

impl OnlinePolicy for OracleSupervised {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let u = self.decide(view.states(), || view.logits())?;
        let scores: Vec<f64> = sigmoid(&u.to_dtype(DType::F64)?)?.to_vec1()?;
        let halts = scores.iter().map(|score| *score <= self.threshold).collect();
        Ok(OnlineDecision::Scored { scores, halts })
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        if pass.recipe.loss != LossAt::Objective {
            return Ok(Objective { answers: pass.losses.clone(), tokens: None });
        }
        let labels = self.labels.of_answers(pass)?;
        let steps = pass.record.max_depth - 1;
        let counted = |labels: &Vec<bool>| match labels.iter().position(|goes_on| !goes_on) {
            Some(place) if self.until_needed => place + 1,
            _ => steps,
        };
        let counted: Vec<usize> = labels.iter().map(counted).collect();
        // The mean over answers is then the mean over all pairs of an answer and a step that count.
        let share = labels.len() as f64 / (counted.iter().sum::<usize>().max(1)) as f64;
        let mut answers = pass.losses.zeros_like()?.detach();
        for step in 1..=steps {
            let states = pass.answers.select(&pass.states(step)?.detach())?;
            let u = self.decide(&states, || pass.logits(step))?;
            let weight = |of: f64, wanted: bool| {
                let weights = labels.iter().zip(&counted);
                let weights =
                    weights.map(
                        |(labels, counted)| {
                            if labels[step - 1] == wanted && step <= *counted { of * share } else { 0.0 }
                        },
                    );
                pass.constant(weights.collect())
            };
            let positive = (softplus(&u.neg()?)? * weight(self.positive_weight, true)?)?;
            answers = (answers + (positive + (softplus(&u)? * weight(1.0, false)?)?)?)?;
        }
        Ok(Objective { answers, tokens: None })
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * (d_model + self.top_logits) as f64
    }
}
