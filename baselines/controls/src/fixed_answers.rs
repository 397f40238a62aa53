//! `fixed-answers`: answers take a fixed number of steps, prompts one.

use haltbench_sdk::prelude::*;

use crate::fixed::admitted;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Predictions of answer tokens take the same number of steps, all other tokens one.",
    documentation: "\
## What it computes

Nothing: where an answer stands is part of a task's format.

## When it halts

After `depth` steps where the prediction is part of an answer, after one elsewhere. A policy that saves steps on prompts
alone is no better than this. Trained once for every depth, it gives a frontier that does not pay for computing prompts.

## Cost

No decisions.",
    reference: "control",
    role: Role::FixedAnswerDepth,
    parameters: &[ParameterSpec::integer("depth", 1, (1, i64::MAX), "steps of answer tokens, at most max_depth")],
    ..PolicyDeclaration::new("fixed-answers", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct FixedAnswers {
    depth: u32,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(FixedAnswers { depth: admitted("fixed-answers", context)? }))
}

impl EarlyPolicy for FixedAnswers {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let depth = |row: usize| if view.layout().is_answer(row) { self.depth } else { 1 };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
