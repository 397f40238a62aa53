//! Asks a policy about a trace: the depths that it would give, had no token's halting changed what the others saw.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use haltbench_sdk::backbone::Dimensions;
use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{PolicyDeclaration, Privileged};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::reader::Trace;
use super::steps::Steps;
use super::weights;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::panics;
use crate::recurrence::recorded::{self, Decided};

/// About as many tokens are read at a time; never less than a sequence.
const TOKENS: usize = 4096;

/// Which policy is asked, and how.
pub struct Replay<'a> {
    /// The policy.
    pub declaration: &'static PolicyDeclaration,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Steps a token may take at most; all that were recorded where not given.
    pub max_depth: Option<usize>,
    /// Seed of the policy's draws.
    pub seed: u64,
}

/// What a policy decides about one token of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReplayedToken {
    /// Place of the sequence in the trace, from 0.
    pub sequence: usize,
    /// Position in the sequence: that of the trace if it has positions, from 0 otherwise.
    pub position: u32,
    /// Steps that the policy gives the token, from 1 to D; 0 if a selecting policy never chooses it.
    pub depth: u32,
    /// The number that was compared with a threshold after steps 1 to D; null where the policy was not asked or had none.
    pub scores: Vec<Option<f64>>,
    /// Weights of the states after 0 to D steps, of a policy that mixes; null of others.
    pub weights: Option<Vec<f64>>,
    /// Mean of `distribution`, or of `weights`; null where there is neither.
    pub expected_depth: Option<f64>,
    /// Probabilities of the depths 1 to D, of a policy that has them; null of others.
    pub distribution: Option<Vec<f64>>,
    /// Always true: in a pass of the model the exits of other tokens may change keys and values, here they do not.
    pub simulated: bool,
}

/// The published schema of a line of `haltbench replay`.
pub fn schema() -> Schema {
    schema_for!(ReplayedToken)
}

/// Tells `each` what the policy decides about every token of the trace, in order.
///
/// # Errors
/// If the policy needs what the trace has not, fails or breaks its contract; what `each` returns.
pub fn replay<E: From<Error>>(
    trace: &Trace,
    replay: &Replay,
    mut each: impl FnMut(&ReplayedToken) -> Result<(), E>,
) -> Result<(), E> {
    let max_depth = checked_depth(trace, replay)?;
    let name = replay.declaration.name;
    if replay.declaration.source.has_depths() {
        let message = format!("policy {name} reads the depths of another cell, which a trace does not have");
        return Err(Error::Usage(message).into());
    }
    let mut model = Model {
        backbone: Box::new(steps(trace, max_depth, &(0..0))?),
        backbone_declaration: None,
        policy: weights::build(trace, replay.declaration, replay.parameters, max_depth, replay.seed)?,
        declaration: replay.declaration,
        recipe: replay.declaration.recipe,
        variables: Variables::new(replay.seed, trace.dtype(), &Device::Cpu),
        max_depth,
        halted_keys_values: HaltedKeysValues::FreezeState,
        recompute: false,
        seed: replay.seed,
        device: Device::Cpu,
        dtype: trace.dtype(),
    };
    let complexity = if replay.declaration.uses_labels { Some(headline(trace, name)?) } else { None };
    let has_states = trace.d_model().is_some();
    for (sequences, tokens) in groups(&trace.lengths) {
        model.backbone = Box::new(steps(trace, max_depth, &tokens)?);
        let batch = batch(trace, &sequences, &tokens)?;
        let privileged = complexity
            .as_ref()
            .map(|(values, range)| Privileged { complexity: values[tokens.clone()].to_vec(), range: *range });
        let decide = || recorded::decide(&model, &batch, has_states, privileged.as_ref());
        let decided = panics::caught(name, decide)?;
        for line in lines(decided, &batch, sequences.start) {
            each(&line)?;
        }
    }
    Ok(())
}

fn checked_depth(trace: &Trace, replay: &Replay) -> Result<usize> {
    let most = trace.max_depth;
    match replay.max_depth {
        Some(depth) if !(1..=most).contains(&depth) => {
            let expected = format!("1 to {most}, the steps of the trace");
            Err(Error::Usage(format!("max_depth: expected {expected}, found {depth}")))
        }
        depth => Ok(depth.unwrap_or(most)),
    }
}

/// Groups of whole sequences, each with its tokens.
fn groups(lengths: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
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

/// What was recorded of some tokens. A trace without states gets stand-ins of width 1.
fn steps(trace: &Trace, max_depth: usize, tokens: &Range<usize>) -> Result<Steps> {
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
    Ok(Steps { states, logits, dimensions, step: AtomicUsize::new(0) })
}

/// A batch of some sequences, of which no token is read out.
fn batch(trace: &Trace, sequences: &Range<usize>, tokens: &Range<usize>) -> Result<Batch> {
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
    if let Some(targets) = &trace.targets {
        let is_answer: Vec<bool> = targets[tokens.clone()].iter().map(|target| *target >= 0).collect();
        layout = layout.with_answers(&RowSet::from_mask(&is_answer));
    }
    Ok(Batch {
        layout: Arc::new(layout),
        tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu)?,
        readout: RowSet::none(rows),
        targets: Arc::default(),
        target_index: vec![0; rows],
        complexity: vec![f32::NAN; rows],
    })
}

/// The complexity that an oracle sees, and its range: that of the metadata, or over the trace.
fn headline<'a>(trace: &'a Trace, policy: &str) -> Result<(&'a [f32], (f32, f32))> {
    let named = trace.metadata.get("headline").map(String::as_str);
    let only = trace.complexities.keys().next().filter(|_| trace.complexities.len() == 1).map(String::as_str);
    let values = named.or(only).and_then(|name| trace.complexities.get(name));
    let Some(values) = values else {
        let known: Vec<&str> = trace.complexities.keys().map(String::as_str).collect();
        let found = if known.is_empty() { "none".to_owned() } else { format!("{} and no such key", known.join(", ")) };
        let expected =
            "one tensor `complexity.NAME`, or several and the metadata key `headline` that names one of them";
        return Err(Error::Usage(format!("policy {policy} reads complexities: expected {expected}, found {found}")));
    };
    if let Some(text) = trace.metadata.get("headline_range") {
        let range = text.split_once(' ').and_then(|(least, most)| Some((least.parse().ok()?, most.parse().ok()?)));
        let message = || format!("metadata key `headline_range`: expected two numbers, such as `1 4`, found `{text}`");
        return Ok((values, range.ok_or_else(|| trace.damaged(message()))?));
    }
    let defined = values.iter().copied().filter(|value| !value.is_nan());
    Ok((values, (defined.clone().fold(f32::INFINITY, f32::min), defined.fold(f32::NEG_INFINITY, f32::max))))
}

/// A line for each row of a batch whose first sequence is number `first`.
fn lines(decided: Decided, batch: &Batch, first: usize) -> impl Iterator<Item = ReplayedToken> {
    let Decided { depths, scores, mut distributions, mut weights } = decided;
    let mean = |masses: &Vec<f64>, from: usize| -> f64 {
        masses.iter().enumerate().map(|(place, mass)| (place + from) as f64 * mass).sum()
    };
    depths.into_iter().zip(scores).enumerate().map(move |(row, (depth, scores))| {
        let distribution = distributions.as_mut().map(|all| std::mem::take(&mut all[row]));
        let weights = weights.as_mut().map(|all| std::mem::take(&mut all[row]));
        let of_weights = weights.as_ref().map(|weights| mean(weights, 0));
        ReplayedToken {
            sequence: first + batch.layout.sequence(row),
            position: batch.layout.position(row) as u32,
            depth,
            scores,
            expected_depth: distribution.as_ref().map(|distribution| mean(distribution, 1)).or(of_weights),
            weights,
            distribution,
            simulated: true,
        }
    })
}
