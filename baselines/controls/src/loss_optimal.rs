//! `loss-optimal`: the step with the least loss plus the price of the steps.

use haltbench_sdk::prelude::*;

use crate::outcome_depths::{PROMPT_DEPTH, prompt_depth};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Halts an answer where its loss plus a price for each step is least; an oracle, never ranked.",
    documentation: "\
## What it computes

L(d) + lambda d, where L(d) is the cross-entropy of the right token in nats after step d of a pass in which no token halts.

## When it halts

At the step with the least sum, the first of equal ones. Tokens of the prompt take `prompt_depth` steps.

## Cost

No decisions. A pass of D steps tells what a policy cannot know; it is not counted.

## Published code

None: the likelihood oracle of the paper's equation, without smoothing over neighbours.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, §3.2, likelihood oracle, sigma towards 0",
    role: Role::Control,
    uses_labels: Labels::Outcomes,
    causal: Holds::Never,
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::real("lambda", 0.01, (0.0, 100.0), "price of a step, in nats").knob(Trend::Shallower),
        PROMPT_DEPTH,
    ],
    examples: &[Example {
        title: "losses .1-priced: 2 1.5 1.45, then .5 .6 .4, then 3 1 .9",
        run: || {
            let losses = [[2.0, 1.5, 1.45], [0.5, 0.6, 0.4], [3.0, 1.0, 0.9]];
            Ok(format!("{:?}", losses.map(|losses| cheapest(losses.into_iter(), 0.1))))
        },
        expect: "[2, 1, 2]",
    }],
    ..PolicyDeclaration::new("loss-optimal", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct LossOptimal {
    lambda: f64,
    prompt_depth: u32,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(LossOptimal {
        lambda: context.parameters.real("lambda")?,
        prompt_depth: prompt_depth("loss-optimal", context)?,
    }))
}

impl EarlyPolicy for LossOptimal {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let outcomes = view.outcomes()?;
        let depth = |row| {
            Ok(match outcomes.has_target(row)? {
                true => cheapest((1..=view.max_depth()).map(|step| outcomes.loss(row, step)), self.lambda),
                false => self.prompt_depth,
            })
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect::<Result<_>>()?))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

/// The 1-based step with the least loss plus `lambda` for each step.
fn cheapest(losses: impl Iterator<Item = f64>, lambda: f64) -> u32 {
    let mut best = (1, f64::INFINITY);
    for (step, loss) in (1..).zip(losses) {
        let cost = loss + lambda * f64::from(step);
        if cost < best.1 {
            best = (step, cost);
        }
    }
    best.0
}
