//! `first-correct`: the first step whose prediction is right.

use haltbench_sdk::prelude::*;

use crate::outcome_depths::{PROMPT_DEPTH, first, prompt_depth};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Halts an answer at the first step whose prediction is right; an oracle, never ranked.",
    documentation: "\
## What it computes

The predictions of each answer after the steps 1..=D of a pass in which no token halts.

## When it halts

At the first step whose prediction is right, even if later ones are wrong. With `stays`, at the needed depth: the least depth
after which the answer stays right. An answer that is wrong where it counts takes D steps, because no depth serves it. Tokens
of the prompt take `prompt_depth` steps.

## Cost

No decisions. A pass of D steps tells what a policy cannot know; it is not counted.

## Published code

None: the correctness oracle of the paper's equation, without smoothing.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, §3.2, correctness oracle; needed depth: ours",
    role: Role::Control,
    uses_labels: Labels::Outcomes,
    causal: Holds::Never,
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::flag("stays", false, "every later prediction must be right too").knob(Trend::None),
        PROMPT_DEPTH,
    ],
    ..PolicyDeclaration::new("first-correct", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct FirstCorrect {
    stays: bool,
    prompt_depth: u32,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(FirstCorrect {
        stays: context.parameters.flag("stays")?,
        prompt_depth: prompt_depth("first-correct", context)?,
    }))
}

impl EarlyPolicy for FirstCorrect {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let outcomes = view.outcomes()?;
        let depth = |row| {
            Ok(match outcomes.has_target(row)? {
                true => first(view.max_depth(), self.stays, |step| outcomes.is_right(row, step)),
                false => self.prompt_depth,
            })
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect::<Result<_>>()?))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
