//! `random-within-sequence` and `random-within-position`: another policy's own depths, shuffled within small groups.

use haltbench_sdk::prelude::*;

use crate::shuffle::shuffled;

/// Declaration of the shuffle within sequences.
pub const SEQUENCE: PolicyDeclaration = PolicyDeclaration {
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
    ..declaration("random-within-sequence", |context| {
        shuffled(context, "random-within-sequence", |token| {
            [u64::from(token.split), u64::from(token.is_answer), token.identity, 0]
        })
    })
};

/// Declaration of the shuffle within positions.
pub const POSITION: PolicyDeclaration = PolicyDeclaration {
    summary: "The trained model of another cell with that cell's own depths shuffled within each size, position and role.",
    documentation: "\
## What it computes

As `random-matched`, but only tokens of one size, position and role exchange their depths: the mean depth of each position of
each size stays. What is lost against the policy is what reading anything but size and position is worth.

## When it halts

After the permuted depth. Depths come from other sequences: not causal, and no policy for generation.

## Cost

No decisions; no training of its own.",
    ..declaration("random-within-position", |context| {
        shuffled(context, "random-within-position", |token| {
            [u64::from(token.split), u64::from(token.is_answer), u64::from(token.size), u64::from(token.position)]
        })
    })
};

haltbench_sdk::register_policy!(SEQUENCE);
haltbench_sdk::register_policy!(POSITION);

const fn declaration(name: &'static str, build: fn(&PolicyContext) -> Result<Policy>) -> PolicyDeclaration {
    PolicyDeclaration {
        reference: "control",
        role: Role::Shuffled,
        stochastic: Holds::Always,
        causal: Holds::Never,
        source: Source::DepthsAndModel,
        ..PolicyDeclaration::new(name, PolicyKind::Early, build)
    }
}
