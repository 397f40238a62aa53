//! `random-within-sequence`: another policy's own depths, shuffled within each sequence and role.

use haltbench_sdk::prelude::*;

use crate::shuffle::shuffled;

const NAME: &str = "random-within-sequence";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "The trained model of another cell with that cell's own depths shuffled within each sequence and role.",
    documentation: "\
## What it computes

As `random-matched`, but only tokens of one sequence and role, answer or prompt, exchange their depths: each sequence keeps
its compute. What is lost against the policy is what choosing tokens inside a sequence is worth; what `random-matched` loses
beyond that is what choosing sequences is worth.

## When it halts

After the permuted depth. Where a sequence has one answer token, as in `mano`, that token keeps its depth. Depths come from
later tokens too: not causal, and no policy for generation.

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
    Ok(shuffled(context, NAME, |token| [u64::from(token.split), u64::from(token.is_answer), token.identity, 0]))
}
