//! `local-context`: predicts another policy's depths from the last few tokens.

use haltbench_sdk::prelude::*;

use crate::cue::{Cues, Imitation};

const NAME: &str = "local-context";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Another policy's weights; depth from the last few tokens, fitted to that policy's depths.",
    documentation: "\
## What it computes

The mean depth that the policy named by `of` gives to a token after each sequence of the last `tokens` tokens, its own
included, and role, over instances that training may see; rounded to a whole number. A context that training has fewer
than five of gives way to one that is a token shorter.

## When it halts

After that depth. A policy that is no better than this reads the surface near a token and not the problem.

## Cost

No decisions; no training of its own.",
    reference: "control",
    role: Role::Cue,
    source: Source::DepthsAndModel,
    parameters: &[ParameterSpec::integer(
        "tokens",
        3,
        (1, 64),
        "last tokens that determine the depth, the token itself included",
    )
    .knob(Trend::None)],
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(context: &PolicyContext) -> Result<Policy> {
    let tokens = context.parameters.integer("tokens")?;
    Imitation::build(NAME, context, |prefix| cues(prefix, tokens))
}

/// The last `most` tokens, then shorter contexts, down to none.
fn cues(prefix: &[SourceToken], most: usize) -> Cues {
    let Some(token) = prefix.last() else { return vec![vec![]] };
    let role = u32::from(token.is_answer);
    let nearest = prefix.iter().rev().take(most).map(|token| token.input_token);
    let context = |length: usize| std::iter::once(role).chain(nearest.clone().take(length)).collect();
    (0..=most.min(prefix.len())).rev().map(context).chain([vec![]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_get_shorter_from_the_far_end() {
        let token = |position: u32, input_token: u32| SourceToken {
            identity: 0,
            position,
            input_token,
            size: 1,
            split: 0,
            is_answer: position == 2,
            depth: 1,
        };
        let prefix = [token(0, 5), token(1, 6), token(2, 7)];
        assert_eq!(cues(&prefix, 2), [vec![1, 7, 6], vec![1, 7], vec![1], vec![]]);
        assert_eq!(cues(&prefix[..1], 3), [vec![0, 5], vec![0], vec![]]);
    }
}
