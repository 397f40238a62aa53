//! Cached decoding: appends tokens to prompts, with a key-value cache that supports halting.
//!
//! A new token passes through the prelude, as many core steps as the policy decides, and the coda. At step d it attends
//! to the keys and values of earlier tokens at step d. Sequences of different lengths share a batch and leave it when
//! they are finished.

mod choice;
mod decoder;
mod memory;
mod round;

pub use choice::{Choice, Chosen};
pub use decoder::{Advanced, Decoder, ForcedDepths, has_cached_form};
pub use memory::CacheMemory;

use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::Model;

/// A sequence to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Id of the sequence, the same in every run: random draws are keyed by it.
    pub identity: u64,
    /// Its tokens, at least one.
    pub tokens: Vec<u32>,
}

/// When a sequence is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// The token that ends a sequence, if any; the decoded tokens include it.
    pub end: Option<u32>,
    /// The most new tokens, at least 1.
    pub most: usize,
}

/// What was appended to one prompt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The new tokens.
    pub tokens: Vec<u32>,
    /// The probability of each.
    pub probabilities: Vec<f64>,
    /// Steps of every token that was read: the prompt, then the new tokens except the last, which is never read.
    pub depths: Vec<u32>,
}

/// Result of decoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// What was appended to each prompt, in their order.
    pub sequences: Vec<Decoded>,
    /// Its cost.
    pub ledger: Ledger,
    /// Memory held by the caches.
    pub memory: CacheMemory,
}

/// Appends tokens to `prompts` as one batch.
///
/// # Errors
/// If a prompt is empty or has a token outside the vocabulary, the model cannot be decoded with a cache, a tensor
/// operation fails, or the policy breaks its contract.
pub fn decode(model: &Model, prompts: &[Prompt], until: &Until, choice: Choice) -> Result<Decoding> {
    let identities: Vec<u64> = prompts.iter().map(|prompt| prompt.identity).collect();
    decode_with(Decoder::new(model, &identities)?, model.backbone.dimensions().vocabulary, prompts, until, choice)
}

/// [`decode`] with every token halting at the depth that `depths` returns for its sequence and position.
///
/// # Errors
/// Like [`decode`].
pub fn decode_at(
    model: &Model,
    prompts: &[Prompt],
    until: &Until,
    choice: Choice,
    depths: ForcedDepths,
) -> Result<Decoding> {
    let identities: Vec<u64> = prompts.iter().map(|prompt| prompt.identity).collect();
    let decoder = Decoder::new(model, &identities)?.forced(depths);
    decode_with(decoder, model.backbone.dimensions().vocabulary, prompts, until, choice)
}

fn decode_with(
    mut decoder: Decoder,
    vocabulary: usize,
    prompts: &[Prompt],
    until: &Until,
    choice: Choice,
) -> Result<Decoding> {
    check(vocabulary, prompts, until)?;
    let mut sequences = vec![Decoded::default(); prompts.len()];
    let mut places: Vec<usize> = (0..prompts.len()).collect();
    let mut new: Vec<Vec<u32>> = prompts.iter().map(|prompt| prompt.tokens.clone()).collect();
    while !places.is_empty() {
        let advanced = decoder.advance(&new.iter().map(Vec::as_slice).collect::<Vec<&[u32]>>())?;
        let next = |place: &usize| {
            let length = prompts[*place].tokens.len() + sequences[*place].tokens.len();
            (prompts[*place].identity, length)
        };
        let chosen = choice.of(&advanced.logits, &places.iter().map(next).collect::<Vec<(u64, usize)>>())?;
        let mut goes_on = Vec::with_capacity(places.len());
        for ((place, depths), Chosen { token, probability }) in places.iter().zip(advanced.depths).zip(&chosen) {
            let sequence = &mut sequences[*place];
            sequence.depths.extend(depths);
            sequence.tokens.push(*token);
            sequence.probabilities.push(*probability);
            goes_on.push(until.end != Some(*token) && sequence.tokens.len() < until.most);
        }
        let stays = |place: usize| goes_on[place];
        new = (0..places.len()).filter(|place| stays(*place)).map(|place| vec![chosen[place].token]).collect();
        places = (0..places.len()).filter(|place| stays(*place)).map(|place| places[place]).collect();
        if !places.is_empty() {
            decoder.keep(&goes_on)?;
        }
    }
    Ok(Decoding { sequences, ledger: *decoder.ledger(), memory: *decoder.memory() })
}

fn check(vocabulary: usize, prompts: &[Prompt], until: &Until) -> Result<()> {
    if until.most == 0 {
        return Err(Error::Usage("decoding: expected at least 1 new token, found 0".to_owned()));
    }
    for (index, Prompt { tokens, .. }) in prompts.iter().enumerate() {
        if tokens.is_empty() {
            return Err(Error::Usage(format!("decoding: prompt {index}: expected at least one token, found none")));
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocabulary) {
            let message = format!("decoding: prompt {index}: expected tokens below {vocabulary}, found {token}");
            return Err(Error::Usage(message));
        }
    }
    Ok(())
}
