//! `elbayad-geometric`: the geometric-like exit of the depth-adaptive Transformer.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::oracle::{ALPHA, LAMBDA, OBJECTIVE, ORACLE, Oracle, SMOOTHING, STAGES, Target, worked_example};
use crate::thresholds::{THRESHOLDS, thresholds};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Depth-adaptive Transformer, geometric-like: an exit probability at each step, trained towards an oracle.",
    documentation: "\
## What it computes

chi(d) = sigmoid(w·h(d) + b), with one w and b for all steps, and q(d) = chi(d) times the product of 1 - chi over all
earlier steps; step D takes the rest. The initial b is `bias`: -2 makes chi .12, so that at the default threshold no token
exits at first and training moves tokens from deep to shallow.

## When it halts

At the first step before D with chi(d) > `threshold`, or above its own entry of `thresholds`.

## Objective

The uniform mean of the cross-entropies of all D exits, plus `alpha` times -log q(d*), both averaged over answers. d* is the
depth with the largest score minus `lambda` d, the smallest of several: the log-likelihood of the target (`oracle =
\"likelihood\"`) or whether it is predicted (`correctness`), summed over nearby answers of the sequence under `smoothing`.
The oracle has no gradient; the exit loss trains the backbone too. The first stage trains the exits alone. Tokens that are
no answers have no oracle and no exit loss.

## Cost

One dot product for every executed step of a token.

## Published code

None: transcribed from the paper, with its aligned training alone, not the mixed one that samples exits. Readings: scores
and losses are means over answers, where the paper sums; the kernel is exp(-|t - t'|^2 / sigma), not normalised; one exit
head for all steps.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, token-specific depth, geometric-like, eqs. 8 to 17",
    recipe: OBJECTIVE,
    stages: STAGES,
    parameters: &[
        ORACLE,
        SMOOTHING,
        LAMBDA,
        ALPHA,
        ParameterSpec::real("bias", -2.0, (-100.0, 100.0), "initial value of b"),
        ParameterSpec::real("threshold", 0.5, (0.0, 1.0), "exit probability above which a token halts")
            .knob(Trend::Deeper),
        THRESHOLDS,
    ],
    examples: &[
        Example { title: "oracle of three answers, lambda = 0", run: || Ok(worked_example(0.0, 0.0)), expect: "[3, 3, 3]" },
        Example {
            title: "oracle of three answers, lambda = .1",
            run: || Ok(worked_example(0.0, 0.1)),
            expect: "[2, 1, 2]",
        },
        Example {
            title: "oracle of three answers, lambda = .1, smoothing = 1",
            run: || Ok(worked_example(1.0, 0.1)),
            expect: "[3, 3, 3]",
        },
    ],
    ..PolicyDeclaration::new("elbayad-geometric", PolicyKind::Online, |context| {
        let (parameters, variables) = (context.parameters, context.variables.pp("exit"));
        Ok(Policy::new(
            PolicyKind::Online,
            Geometric {
                exit: Linear::with_bias_from(parameters.real("bias")?, context.d_model, 1, variables)?,
                thresholds: thresholds(DECLARATION.name, context)?,
                oracle: Oracle::new(parameters, Target::Token)?,
            },
        ))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Geometric {
    exit: Linear,
    /// One for each step before the last.
    thresholds: Vec<f64>,
    oracle: Oracle,
}

impl HaltingPolicy for Geometric {
    fn decide(&self, view: &View, _: &mut RowMemory) -> Result<Decision> {
        let Some(most) = view.step().checked_sub(1).map(|place| self.thresholds[place]) else {
            return Ok(Decision::none());
        };
        let logits = self.exit.forward(view.states())?.squeeze(1)?;
        let scores: Vec<f64> = sigmoid(&logits.to_dtype(DType::F64)?)?.to_vec1()?;
        let halts = Some(scores.iter().map(|score| *score > most).collect());
        Ok(Decision { scores: Some(scores), ..Decision::new(Halting::Hazards { logits, halts }) })
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        self.oracle.objective(pass, Target::Token)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * d_model as f64
    }
}
