//! `random`: every token takes a uniformly random number of steps.

use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Every token takes a uniformly random number of steps from 1 to D, in training and in evaluation.",
    documentation: "\
## What it computes

A uniform number per token, keyed in evaluation by the token, so that batches do not matter.

## When it halts

After the depth drawn. Depth carries no information about difficulty by construction.

## Cost

No decisions.",
    reference: "control",
    role: Role::Control,
    stochastic: Holds::Always,
    ..PolicyDeclaration::new("random", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct Random;

fn build(_: &PolicyContext) -> Result<Policy> {
    Ok(Policy::early(Random))
}

impl EarlyPolicy for Random {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let depths = view.uniform("random-depth").into_iter();
        let most = view.max_depth() as f64;
        Ok(EarlyDecision::Depths(depths.map(|uniform| 1 + (uniform * most) as u32).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
