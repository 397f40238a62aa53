//! A model that reads strings token by token and predicts the next token.

use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};

use super::distributions;
use crate::batch::Batch;
use crate::decoding::{Decoder, has_cached_form};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::recurrence::{Execution, evaluate};

/// Strings in progress.
enum Reading<'a> {
    /// With a key-value cache.
    Cached(Box<Decoder<'a>>),
    /// Without a cache: every string is read again for every token. Each string comes with its id. For models that
    /// cannot be decoded with a cache.
    Anew(&'a Model, Vec<(u64, Vec<u32>)>),
}

impl<'a> Reading<'a> {
    /// Empty strings with these ids.
    ///
    /// # Errors
    /// If there is no cache for them.
    fn new(model: &'a Model, identities: &[u64]) -> Result<Self> {
        if has_cached_form(model) {
            return Ok(Self::Cached(Box::new(Decoder::new(model, identities)?)));
        }
        Ok(Self::Anew(model, identities.iter().map(|identity| (*identity, Vec::new())).collect()))
    }

    /// Appends tokens to every string, at least one to each, and returns the distributions of the next token.
    ///
    /// # Errors
    /// If a pass fails.
    fn read(&mut self, new: &[Vec<u32>]) -> Result<Vec<Vec<f64>>> {
        match self {
            Self::Cached(decoder) => {
                let new: Vec<&[u32]> = new.iter().map(Vec::as_slice).collect();
                distributions(&decoder.advance(&new)?.logits)
            }
            Self::Anew(model, strings) => {
                strings.iter_mut().zip(new).for_each(|((_, string), new)| string.extend(new));
                anew(model, strings)
            }
        }
    }

    /// Keeps the strings where `kept` is true, in their order.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn keep(&mut self, kept: &[bool]) -> Result<()> {
        match self {
            Self::Cached(decoder) => decoder.keep(kept),
            Self::Anew(_, strings) => {
                let mut kept = kept.iter();
                strings.retain(|_| kept.next().copied().unwrap_or(false));
                Ok(())
            }
        }
    }
}

/// Extends strings, given as ids with their first tokens, until all have ended. `next` gets the index of a string and
/// the distribution of its next token, and returns that token, or `None` to end the string. `interrupted` returns the
/// signal that asks to stop, if any.
///
/// # Errors
/// If a pass fails, or [`Error::Interrupted`].
pub(super) fn grow(
    model: &Model,
    identities: &[u64],
    starts: Vec<Vec<u32>>,
    interrupted: &dyn Fn() -> Option<i32>,
    mut next: impl FnMut(usize, Vec<f64>) -> Option<u32>,
) -> Result<()> {
    let mut reading = Reading::new(model, identities)?;
    let mut running: Vec<usize> = (0..starts.len()).collect();
    let mut new = starts;
    while !running.is_empty() {
        if let Some(signal) = interrupted() {
            return Err(Error::Interrupted(signal));
        }
        let distributions = reading.read(&new)?;
        let tokens: Vec<Option<u32>> =
            running.iter().zip(distributions).map(|(place, distribution)| next(*place, distribution)).collect();
        running =
            running.into_iter().zip(&tokens).filter(|(_, token)| token.is_some()).map(|(place, _)| place).collect();
        if !running.is_empty() {
            reading.keep(&tokens.iter().map(Option::is_some).collect::<Vec<bool>>())?;
        }
        new = tokens.into_iter().flatten().map(|token| vec![token]).collect();
    }
    Ok(())
}

fn anew(model: &Model, strings: &[(u64, Vec<u32>)]) -> Result<Vec<Vec<f64>>> {
    let lengths: Vec<usize> = strings.iter().map(|(_, string)| string.len()).collect();
    let identities: Vec<u64> = strings.iter().map(|(identity, _)| *identity).collect();
    let layout = Arc::new(TokenLayout::new(&lengths, &identities)?);
    let rows = layout.rows();
    let mut is_last = vec![false; rows];
    (0..strings.len()).for_each(|string| is_last[layout.rows_of(string).end - 1] = true);
    let tokens: Vec<u32> = strings.iter().flat_map(|(_, string)| string).copied().collect();
    let batch = Batch {
        tokens: Tensor::from_vec(tokens, rows, &model.device)?,
        readout: RowSet::from_mask(&is_last),
        targets: Arc::new(Vec::new()),
        target_index: (0..rows).map(|row| layout.position(row) as u32 + 1).collect(),
        complexity: vec![f32::NAN; rows],
        layout,
    };
    distributions(&evaluate(model, &batch, Execution::Compacted, None)?.logits)
}
