//! `token-role`: predicts another policy's depths from the token and whether it is an answer.

use haltbench_sdk::prelude::*;

use crate::cue::{Cues, Imitation};

const NAME: &str = "token-role";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Another policy's weights; one depth for each token of the vocabulary and role, fitted to that policy's depths.",
    documentation: "\
## What it computes

The mean depth that the policy named by `of` gives to each token of the vocabulary, separately for rows whose prediction
is part of an answer, over instances that training may see; rounded to a whole number. A token that training has fewer than
five of takes the mean of its role.

## When it halts

After that depth, whatever the token's context. A policy that is no better than this reads the token and nothing else.

## Cost

No decisions; no training of its own.",
    reference: "control",
    role: Role::Cue,
    source: Source::DepthsAndModel,
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(context: &PolicyContext) -> Result<Policy> {
    Imitation::build(NAME, context, cues)
}

fn cues(prefix: &[SourceToken]) -> Cues {
    let Some(token) = prefix.last() else { return vec![vec![]] };
    let role = u32::from(token.is_answer);
    vec![vec![role, token.input_token], vec![role], vec![]]
}
