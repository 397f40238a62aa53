//! Depths that are known for every token before the evaluation.

use std::collections::BTreeMap;

use haltbench_sdk::prelude::*;

/// Depths by sequence and position.
#[derive(Default)]
pub struct RecordedDepths(BTreeMap<(u64, u32), u32>);

impl RecordedDepths {
    /// The depths of `tokens`.
    pub fn new<'a>(tokens: impl Iterator<Item = &'a SourceToken>, depths: impl Iterator<Item = u32>) -> Self {
        Self(tokens.map(|token| (token.identity, token.position)).zip(depths).collect())
    }

    /// Adds more depths.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The depths of the rows of a view; `policy` is the name for error messages.
    pub fn decide(&self, policy: &str, view: &View) -> Result<EarlyDecision> {
        let depth = |row: usize| {
            let token = (view.layout().identity(row), view.layout().position(row) as u32);
            self.0.get(&token).copied().ok_or_else(|| {
                let (sequence, position) = token;
                let message = format!("the source cell has no depth for position {position} of sequence {sequence}");
                Error::contract(policy, message)
            })
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect::<Result<_>>()?))
    }
}
