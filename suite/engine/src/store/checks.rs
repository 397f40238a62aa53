//! What an evaluation found when it checked its policy's claims on a few sequences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Claims of a policy, checked on a few sequences that were evaluated again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Checks {
    /// Sequences that were evaluated again.
    pub sequences: u64,
    /// The same batch gives the same depths and scores again.
    pub repetition: Check,
    /// A sequence has the same depths and scores beside other sequences, or alone.
    pub batch: Check,
    /// A token has the same depth and scores if the tokens after it are removed. Checked if policy and backbone claim to
    /// be causal.
    pub causality: Check,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Tokens compared; 0 if the claim was not checked.
    pub tokens: u64,
    /// Tokens whose depths, scores or predictions differ.
    pub differing: u64,
    /// Differing tokens that rounding may explain: none on the CPU, where results do not depend on the batch.
    pub allowed: u64,
    /// The first token that differs, in words, or why the claim was not checked.
    pub note: Option<String>,
}

impl Check {
    /// A claim that was not checked, for this reason.
    pub fn skipped(reason: &str) -> Self {
        Self { note: Some(reason.to_owned()), ..Self::default() }
    }

    /// Whether the claim does not hold.
    pub fn is_broken(&self) -> bool {
        self.differing > self.allowed
    }

    /// What differs, in words.
    pub fn evidence(&self) -> String {
        let example = self.note.as_ref().map(|note| format!(", such as {note}")).unwrap_or_default();
        format!("{} of {} tokens differ{example}", self.differing, self.tokens)
    }
}

impl Checks {
    /// The claims that do not hold, in words.
    pub fn broken(&self) -> Vec<String> {
        let claims = [
            (&self.repetition, "the same batch gives other depths the second time"),
            (&self.batch, "its depths depend on the other sequences of a batch"),
            (&self.causality, "it claims to be causal, but its depths depend on later tokens"),
        ];
        let broken = claims.into_iter().filter(|(check, _)| check.is_broken());
        broken.map(|(check, claim)| format!("{claim}: {}", check.evidence())).collect()
    }
}
