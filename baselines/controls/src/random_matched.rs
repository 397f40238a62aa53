//! `random-matched`: another policy's own depths, shuffled.

use haltbench_sdk::prelude::*;

use crate::shuffle::shuffled;

const NAME: &str = "random-matched";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "The trained model of another cell with that cell's own depths shuffled over tokens.",
    documentation: "\
## What it computes

The depths that the policy named by `of` in the suite file gave to the tokens of the same evaluation, permuted at
random. The histogram of depths and the mean compute stay exactly what they were; the alignment of depth with
difficulty is gone. What is lost is what misplacing depths costs these weights, which were never trained at them; what
choosing the tokens is worth `random-trained` tells.

## When it halts

After the permuted depth. Sequences of sizes in range, between and beyond never mix. `within` says what else stays fixed:

* `role`: answer tokens among answer tokens and prompt tokens among prompt tokens, so that the mean depth of both stays;
* `all`: nothing else.

`random-within-sequence` and `random-within-position` keep more. Depths come from other tokens, later ones too: not causal, and no policy for generation.

## Cost

No decisions; no training of its own.",
    reference: "control",
    role: Role::Shuffled,
    stochastic: Holds::Always,
    // A token may get the depth of a later token or of another sequence.
    causal: Holds::Never,
    source: Source::DepthsAndModel,
    parameters: &[ParameterSpec::choice(
        "within",
        "role",
        &["role", "all"],
        "which tokens exchange their depths",
    )
    .knob(Trend::None)],
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

fn build(context: &PolicyContext) -> Result<Policy> {
    let all = context.parameters.text("within")? == "all";
    Ok(shuffled(context, NAME, |token| [u64::from(token.split), u64::from(!all && token.is_answer), 0, 0]))
}
