//! `first-consistent`: halts each token at the first step that predicts the same token as step D.

use haltbench_sdk::prelude::*;

use crate::outcome_depths::first;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Halts at the first step that predicts the same token as step D; an oracle, never ranked.",
    documentation: "\
## What it computes

The predictions of each token after the steps 1..=D of a pass in which no token halts.

## When it halts

At the first step that predicts the same token as step D, even if a later step predicts another. With `stays`, at the first
step after which no prediction changes. If other tokens halt as well, a token may find another prediction
at its step than that pass had there.

## Cost

No decisions. A pass of D steps tells what a policy cannot know; it is not counted.

## Published code

None as a policy. CALM's code (t5x) takes the first layer that agrees with the last as the target of its classifier.",
    reference: "Schuster et al. 2022, arXiv 2207.07061, §3.5, oracle of local consistency",
    role: Role::Control,
    uses_labels: Labels::Outcomes,
    causal: Holds::Never,
    recipe: Recipe::EVERY_EXIT,
    parameters: &[
        ParameterSpec::flag("stays", false, "whether every later step must predict it too").knob(Trend::None)
    ],
    ..PolicyDeclaration::new("first-consistent", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct FirstConsistent {
    stays: bool,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(FirstConsistent { stays: context.parameters.flag("stays")? }))
}

impl EarlyPolicy for FirstConsistent {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let outcomes = view.outcomes()?;
        let depth = |row| first(view.max_depth(), self.stays, |step| outcomes.agrees_with_last(row, step));
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
