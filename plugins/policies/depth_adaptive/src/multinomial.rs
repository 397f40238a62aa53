//! `elbayad-multinomial`: one distribution over depths for each token, read after the first step.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::oracle::{ALPHA, LAMBDA, OBJECTIVE, ORACLE, Oracle, SMOOTHING, STAGES, Target, worked_example};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Depth-adaptive Transformer, multinomial: each token's depth is chosen after step 1, as an oracle would.",
    documentation: "\
## What it computes

q = softmax(W h(1) + b) over the depths 1..=D, once, after the first step. b starts at 0, so that q is near uniform at
first.

## When it halts

After the most probable depth, the smallest of several. Every token takes the first step.

## Objective

The uniform mean of the cross-entropies of all D exits, plus `alpha` times -log q(d*), both averaged over answers. d* is the
depth with the largest score minus `lambda` d, the smallest of several: the log-likelihood of the target (`oracle =
\"likelihood\"`) or whether it is predicted (`correctness`), summed over nearby answers of the sequence under `smoothing`.
The oracle has no gradient; the exit loss trains the backbone too. The first stage trains the exits alone. Tokens that are
no answers have no oracle and no exit loss.

## Cost

D dot products for each token, once. W has a row for each depth, so a model cannot be evaluated at another `max_depth` than
it was trained with.

## Published code

None: transcribed from the paper, with its aligned training alone, not the mixed one that samples exits. Readings: scores
and losses are means over answers, where the paper sums; the kernel is exp(-|t - t'|^2 / sigma), not normalised.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, token-specific depth, multinomial, eqs. 8 to 17",
    recipe: OBJECTIVE,
    stages: STAGES,
    parameters: &[ORACLE, SMOOTHING, LAMBDA, ALPHA],
    examples: &[Example {
        title: "oracle of three answers, lambda = .1",
        run: || Ok(worked_example(0.0, 0.1)),
        expect: "[2, 1, 2]",
    }],
    ..PolicyDeclaration::new("elbayad-multinomial", PolicyKind::Early, |context| {
        let (most, variables) = (context.max_depth, context.variables.pp("exit"));
        let exit = Linear::with_bias(context.d_model, most, variables)?;
        let oracle = Oracle::new(context.parameters, Target::Token)?;
        Ok(Policy::new(PolicyKind::Early, Multinomial { exit, oracle, most }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Multinomial {
    exit: Linear,
    oracle: Oracle,
    most: usize,
}

impl HaltingPolicy for Multinomial {
    fn is_asked(&self, step: usize, _: usize) -> bool {
        step == 1
    }

    fn decide(&self, view: &View, _: &mut RowMemory) -> Result<Decision> {
        Ok(Decision::new(Halting::Logits(self.exit.forward(view.states())?)))
    }

    fn rule(&self) -> HaltingRule {
        HaltingRule::Mode
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        self.oracle.objective(pass, Target::Token)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        2.0 * (self.most * d_model) as f64
    }
}
