//! Packed batches of random sequences, and changes to a batch that must not affect what a token sees.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::error::Result;
use crate::layout::TokenLayout;
use crate::policy::{Outcomes, Privileged};
use crate::random::Stream;

/// One sequence of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// Id of the sequence, the same in every run.
    pub identity: u64,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Complexity of each token, NaN where undefined. Only an oracle may see it.
    pub complexity: Vec<f32>,
}

impl Sequence {
    /// Random tokens and complexities.
    pub(super) fn random(identity: u64, length: usize, vocabulary: usize, seed: u64) -> Self {
        let mut stream = Stream::new(seed, "conformance-sequence", &[identity]);
        let tokens = (0..length).map(|_| stream.below(vocabulary as u64) as u32).collect();
        // The first token of a sequence has no complexity, as the prompts of most tasks.
        let complexity =
            (0..length).map(|place| if place == 0 { f32::NAN } else { 1.0 + stream.below(9) as f32 }).collect();
        Self { identity, tokens, complexity }
    }

    /// The first `length` tokens.
    pub(super) fn truncated(&self, length: usize) -> Self {
        Self {
            identity: self.identity,
            tokens: self.tokens[..length].to_vec(),
            complexity: self.complexity[..length].to_vec(),
        }
    }

    /// Another token and another complexity at every position from `length` on.
    pub(super) fn with_another_suffix(&self, length: usize, vocabulary: usize) -> Self {
        let mut changed = self.clone();
        for place in length..self.tokens.len() {
            changed.tokens[place] = (self.tokens[place] + 1 + place as u32 % 3) % vocabulary as u32;
            changed.complexity[place] = 10.0 - self.complexity[place];
        }
        changed
    }
}

/// Sequences packed into one batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The tokens, u32, `[rows]`.
    pub tokens: Tensor,
    /// Which row is which token.
    pub layout: Arc<TokenLayout>,
    /// Complexities for oracles; `None` for every other policy.
    pub privileged: Option<Privileged>,
}

impl Batch {
    /// Packs `sequences`; with `privileged` their complexities can be read.
    ///
    /// # Errors
    /// If a sequence is empty.
    pub fn new(sequences: &[Sequence], privileged: bool, device: &Device) -> Result<Self> {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.tokens.len()).collect();
        let identities: Vec<u64> = sequences.iter().map(|sequence| sequence.identity).collect();
        let tokens: Vec<u32> = sequences.iter().flat_map(|sequence| sequence.tokens.iter().copied()).collect();
        let complexity = sequences.iter().flat_map(|sequence| sequence.complexity.iter().copied()).collect();
        Ok(Self {
            layout: Arc::new(TokenLayout::new(&lengths, &identities)?),
            tokens: Tensor::new(tokens, device)?,
            privileged: privileged.then_some(Privileged { complexity, range: (1.0, 9.0), outcomes: None }),
        })
    }

    /// This batch with outcomes that an oracle can read.
    #[must_use]
    pub fn with_outcomes(mut self, outcomes: Option<Outcomes>) -> Self {
        if let Some(privileged) = &mut self.privileged {
            privileged.outcomes = outcomes;
        }
        self
    }

    /// Number of tokens.
    pub fn rows(&self) -> usize {
        self.layout.rows()
    }
}
