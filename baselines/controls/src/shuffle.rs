//! Another policy's depths, shuffled within groups of tokens.

use std::collections::BTreeMap;

use haltbench_sdk::prelude::*;

use crate::recorded::RecordedDepths;

/// What the tokens of a group have in common.
pub type Group = [u64; 4];

struct Shuffled {
    name: &'static str,
    depths: RecordedDepths,
}

/// The policy `name`: the source's depths, shuffled among the tokens with the same `group`.
pub fn shuffled(context: &PolicyContext, name: &'static str, group: impl Fn(&SourceToken) -> Group) -> Policy {
    let mut groups: BTreeMap<Group, Vec<&SourceToken>> = BTreeMap::new();
    for token in context.source.iter().flat_map(|source| &source.evaluation) {
        groups.entry(group(token)).or_default().push(token);
    }
    let mut recorded = RecordedDepths::default();
    for (key, tokens) in groups {
        let mut depths: Vec<u32> = tokens.iter().map(|token| token.depth).collect();
        Stream::new(context.seed, "random-matched", &key).shuffle(&mut depths);
        recorded.extend(RecordedDepths::new(tokens.into_iter(), depths.into_iter()));
    }
    Policy::early(Shuffled { name, depths: recorded })
}

impl EarlyPolicy for Shuffled {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        self.depths.decide(self.name, view)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
