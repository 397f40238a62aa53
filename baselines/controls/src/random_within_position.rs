//! `random-within-position`: another policy's own depths, shuffled within each size, position and role.

use haltbench_sdk::prelude::*;

use crate::shuffle::shuffled;

const NAME: &str = "random-within-position";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "The trained model of another cell with that cell's own depths shuffled within each size, position and role.",
    documentation: "\
## What it computes

As `random-matched`, but only tokens of one size, position and role exchange their depths: the mean depth of each position of
each size stays. What is lost against the policy is what reading anything but size and position is worth.

## When it halts

After the permuted depth. Depths come from other sequences: not causal, and no policy for generation.

## Cost

No decisions; no training of its own.",
    reference: "control",
    role: Role::Shuffled,
    stochastic: Holds::Always,
    causal: Holds::Never,
    source: Source::DepthsAndModel,
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(context: &PolicyContext) -> Result<Policy> {
    Ok(shuffled(context, NAME, |token| {
        [u64::from(token.split), u64::from(token.is_answer), u64::from(token.size), u64::from(token.position)]
    }))
}
