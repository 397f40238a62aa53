//! Parts of a trace: groups of whole sequences that are replayed together.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use haltbench_sdk::backbone::Dimensions;
use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::layout::{RowSet, TokenLayout};

use super::reader::Trace;
use super::steps::Steps;
use crate::batch::Batch;
use crate::error::Result;

/// Number of tokens that are read at a time, at least one sequence.
const TOKENS: usize = 4096;

/// Groups of whole sequences, each with its tokens.
pub fn groups(lengths: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut groups: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut start = 0;
    for (sequence, length) in lengths.iter().enumerate() {
        let end = start + length;
        match groups.last_mut().filter(|(_, tokens)| end - tokens.start <= TOKENS) {
            Some((sequences, tokens)) => (sequences.end, tokens.end) = (sequence + 1, end),
            None => groups.push((sequence..sequence + 1, start..end)),
        }
        start = end;
    }
    groups
}

/// Recorded steps of some tokens for the policy named `policy`. Without states in the trace, they are placeholders of
/// width 1.
pub fn steps(trace: &Trace, policy: &'static str, max_depth: usize, tokens: &Range<usize>) -> Result<Steps> {
    let states = match trace.entries("states", max_depth + 1, tokens)? {
        Some(states) => states,
        None => vec![Tensor::zeros((tokens.len(), 1), trace.dtype(), &Device::Cpu)?; max_depth + 1],
    };
    let logits = trace.entries("logits", max_depth, tokens)?;
    let dimensions = Dimensions {
        d_model: trace.d_model().unwrap_or(1),
        d_ff: 1,
        core_layers: 0,
        vocabulary: trace.vocabulary().unwrap_or(1),
    };
    Ok(Steps { policy, states, logits, dimensions, step: AtomicUsize::new(0) })
}

/// A batch of some sequences of the trace.
pub fn batch(trace: &Trace, sequences: &Range<usize>, tokens: &Range<usize>) -> Result<Batch> {
    let lengths = &trace.lengths[sequences.clone()];
    let identities: Vec<u64> = match &trace.identities {
        Some(identities) => identities[sequences.clone()].to_vec(),
        None => (sequences.start as u64..sequences.end as u64).collect(),
    };
    let rows = tokens.len();
    let mut layout = TokenLayout::new(lengths, &identities)?;
    if let Some(positions) = &trace.positions {
        layout = layout.with_positions(positions[tokens.clone()].to_vec())?;
    }
    let targets = trace.targets.as_ref().map_or(&[][..], |targets| &targets[tokens.clone()]);
    let readout = match targets {
        [] => RowSet::none(rows),
        targets => RowSet::from_mask(&targets.iter().map(|target| *target >= 0).collect::<Vec<bool>>()),
    };
    layout = layout.with_answers(&readout);
    Ok(Batch {
        layout: Arc::new(layout),
        tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu)?,
        readout,
        targets: Arc::new(targets.iter().filter_map(|target| u32::try_from(*target).ok()).collect()),
        target_index: vec![0; rows],
        complexity: vec![f32::NAN; rows],
    })
}
