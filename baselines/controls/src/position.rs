//! `position`: predicts another policy's depths from size and position.

use haltbench_sdk::prelude::*;

use crate::cue::{Cues, Imitation};

const NAME: &str = "position";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Another policy's weights; depth from size and position, fitted to that policy's depths.",
    documentation: "\
## What it computes

The mean depth that the policy named by `of` gives to tokens of each size of the instance, position and role, over
instances that training may see; rounded to a whole number. A size that was not trained on takes the mean of the
position over all sizes, a position that training has fewer than five of the mean of its role.

## When it halts

After that depth, whatever the tokens are. A policy that is no better than this knows how long a problem is and how far
it has come. It is told the size of the instance, which the tokens read so far need not show: it is not causal, and knows
more than a policy under test can.

## Cost

No decisions; no training of its own.",
    reference: "control",
    role: Role::Cue,
    source: Source::DepthsAndModel,
    causal: Holds::Never,
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(context: &PolicyContext) -> Result<Policy> {
    Imitation::build(NAME, context, cues)
}

fn cues(prefix: &[SourceToken]) -> Cues {
    let Some(token) = prefix.last() else { return vec![vec![]] };
    let role = u32::from(token.is_answer);
    vec![vec![role, token.position, token.size], vec![role, token.position], vec![role], vec![]]
}
