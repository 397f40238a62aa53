//! `random-matched`: another policy's own depths, shuffled.

use std::collections::BTreeMap;

use haltbench_sdk::prelude::*;

use crate::recorded::RecordedDepths;

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
* `all`: nothing else;
* `sequence`: tokens of one sequence and role; where a sequence has one answer token, as in `mano`, that token keeps its
  depth, so the depths of answers and their alignment with difficulty stay what they were;
* `position`: tokens of one size, position and role.

Depths come from other tokens, later ones too: not causal, and no policy for generation.

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
        &["role", "all", "sequence", "position"],
        "which tokens exchange their depths",
    )
    .knob(Trend::None)],
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct RandomMatched {
    depths: RecordedDepths,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let within = context.parameters.text("within")?;
    let mut groups: BTreeMap<(u32, bool, u64, u32), Vec<&SourceToken>> = BTreeMap::new();
    for token in context.source.iter().flat_map(|source| &source.evaluation) {
        let key = match within {
            "all" => (token.split, false, 0, 0),
            "sequence" => (token.split, token.is_answer, token.identity, 0),
            "position" => (token.split, token.is_answer, u64::from(token.size), token.position),
            _ => (token.split, token.is_answer, 0, 0),
        };
        groups.entry(key).or_default().push(token);
    }
    let mut recorded = RecordedDepths::default();
    for ((split, role, first, second), tokens) in groups {
        let mut depths: Vec<u32> = tokens.iter().map(|token| token.depth).collect();
        let key = [u64::from(split), u64::from(role), first, u64::from(second)];
        Stream::new(context.seed, NAME, &key).shuffle(&mut depths);
        recorded.extend(RecordedDepths::new(tokens.into_iter(), depths.into_iter()));
    }
    Ok(Policy::early(RandomMatched { depths: recorded }))
}

impl EarlyPolicy for RandomMatched {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        self.depths.decide(NAME, view)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
