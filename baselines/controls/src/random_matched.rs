//! `random-matched`: another policy's own depths, shuffled.

use std::collections::BTreeMap;

use haltbench_sdk::prelude::*;

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "The trained model of another cell with that cell's own depths shuffled over tokens.",
    documentation: "\
## What it computes

The depths that the policy named by `of` in the suite file gave to the tokens of the same evaluation, permuted at
random. The histogram of depths and the mean compute stay exactly what they were; the alignment of depth with
difficulty is gone. A policy that is not better than its own shuffled depths gains nothing from where it spends.

## When it halts

After the permuted depth. Tokens of sizes in range, between and beyond never mix. `within` says what else stays fixed:

* `role`: answer tokens among answer tokens and prompt tokens among prompt tokens, so that the mean depth of both stays;
* `all`: nothing else;
* `sequence`: tokens of one sequence and role; where a sequence has one answer token, as in `mano`, that token keeps its
  depth, so the depths of answers and their alignment with difficulty stay what they were;
* `position`: tokens of one size, position and role.

Depths come from other tokens, later ones too: not causal, and no policy for generation.

## Cost

No decisions; no training of its own.",
    reference: "control",
    control: true,
    stochastic: true,
    // A depth may be that of a later token or of another sequence.
    causal: false,
    training: Training::Borrowed,
    parameters: &[ParameterSpec::choice(
        "within",
        "role",
        &["role", "all", "sequence", "position"],
        "which tokens exchange their depths",
    )],
    ..PolicyDeclaration::new("random-matched", PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct RandomMatched {
    within: String,
    depths: BTreeMap<(u64, u32), u32>,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let within = context.parameters.text("within")?.to_owned();
    Ok(Policy::early(RandomMatched { within, depths: BTreeMap::new() }))
}

impl EarlyPolicy for RandomMatched {
    fn prepare(&mut self, source: &[EvaluatedToken], seed: u64) -> Result<()> {
        let mut groups: BTreeMap<(u32, bool, u64, u32), Vec<&EvaluatedToken>> = BTreeMap::new();
        for token in source {
            let key = match self.within.as_str() {
                "all" => (token.part, false, 0, 0),
                "sequence" => (token.part, token.is_answer, token.identity, 0),
                "position" => (token.part, token.is_answer, u64::from(token.size), token.position),
                _ => (token.part, token.is_answer, 0, 0),
            };
            groups.entry(key).or_default().push(token);
        }
        self.depths.clear();
        for ((part, role, first, second), tokens) in groups {
            let mut depths: Vec<u32> = tokens.iter().map(|token| token.depth).collect();
            let key = [u64::from(part), u64::from(role), first, u64::from(second)];
            Stream::new(seed, "random-matched", &key).shuffle(&mut depths);
            let keys = tokens.iter().map(|token| (token.identity, token.position));
            self.depths.extend(keys.zip(depths));
        }
        Ok(())
    }

    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let depth = |row: usize| {
            let token = (view.layout().identity(row), view.layout().position(row) as u32);
            self.depths.get(&token).copied().ok_or_else(|| {
                Error::contract("random-matched", format!("the source cell has no depth for token {token:?}"))
            })
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect::<Result<_>>()?))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
