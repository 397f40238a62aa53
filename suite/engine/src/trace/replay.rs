//! Replays a policy on a trace: the depths that it would choose if halting tokens did not change the states of other
//! tokens.

use std::ops::Range;

use haltbench_sdk::candle_core::{DType, Tensor};
use haltbench_sdk::policy::{Labels, Objective, PolicyKind, Privileged, Recipe};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::groups::{batch, groups, steps};
use super::reader::Trace;
use super::replayed::{Replay, model, recording};
use super::{trial, weights};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::panics;
use crate::recurrence::recorded::{self, Recording, Replayed};
use crate::recurrence::{Decided, outcomes};
use crate::training::objective;

/// Decisions of a policy about one token of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReplayedToken {
    /// Index of the sequence in the trace, from 0.
    pub sequence: usize,
    /// Position in the sequence: from the trace's tensor `positions` if it has one, otherwise counted from 0.
    pub position: u32,
    /// Depth that the policy chooses, from 1 to D; 0 if a selecting policy never chooses the token.
    pub depth: u32,
    /// Scores, the numbers that the policy compares with a threshold, after steps 1 to D (for a selecting policy,
    /// before steps 1 to D); null where the policy was not asked or gave no finite score.
    pub scores: Vec<Option<f64>>,
    /// Weights of the states after 0 to D steps, if the policy mixes states; otherwise null.
    pub weights: Option<Vec<f64>>,
    /// Mean of `distribution`; for a policy that mixes states, the sum of d times the weight of the state after d steps,
    /// not divided by the sum of the weights. Null without either.
    pub expected_depth: Option<f64>,
    /// Probabilities of the depths 1 to D over all recorded steps, whatever the depth, if the policy has a distribution;
    /// otherwise null.
    pub distribution: Option<Vec<f64>>,
    /// The token's share of the policy's training objective, before means are taken: its cost as an answer, if it is
    /// one, plus its cost as a token. For soft and selecting policies it has no cost as an answer, because a trace
    /// lacks the logits of their outputs. Null if it is infinite, if the trace has no targets or no states, and for early
    /// and online policies also if it has no logits.
    pub objective: Option<f64>,
    /// Always true: in a pass of the model, halting tokens may change the keys and values that other tokens see; in a
    /// replay they do not.
    pub simulated: bool,
}

/// The published schema of a line of `haltbench replay`.
pub fn schema() -> Schema {
    schema_for!(ReplayedToken)
}

/// Calls `each` with the policy's decisions about every token of the trace, in order.
///
/// # Errors
/// If the policy needs a tensor that the trace lacks, fails or breaks its contract; errors of `each`.
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
    let recipe = recipe(replay)?;
    let complexity = match replay.declaration.uses_labels {
        Labels::Complexity => Some(headline(trace, name)?),
        Labels::None | Labels::Outcomes => None,
    };
    let privileged = |model: &Model, batch: &Batch, tokens: &Range<usize>| {
        Ok::<_, Error>(match (&complexity, replay.declaration.uses_labels) {
            (_, Labels::Outcomes) => Some(Privileged {
                outcomes: Some(outcomes(model, batch, recording(trace).targets)?),
                ..Privileged::default()
            }),
            (Some((values, range)), _) => {
                Some(Privileged { complexity: values[tokens.clone()].to_vec(), range: *range, outcomes: None })
            }
            (None, _) => None,
        })
    };
    let has_distribution =
        trial::is_needed(trace, replay, max_depth) && trial::has_distribution(trace, replay, max_depth, &privileged)?;
    let policy = weights::build(trace, replay.declaration, replay.parameters, max_depth, replay.seed)?;
    let none = steps(trace, name, max_depth, &(0..0))?;
    let mut model = model(trace, replay, recipe, (policy, none, max_depth))?;
    if model.policy.needs_calibration() {
        let message = format!(
            "policy {name} calibrates itself on the calibration part, which a trace does not have: turn its calibration off and set its threshold"
        );
        return Err(Error::Usage(message).into());
    }
    let recording = recording(trace);
    for (sequences, tokens) in groups(&trace.lengths) {
        model.backbone = Box::new(steps(trace, name, max_depth, &tokens)?);
        let batch = batch(trace, &sequences, &tokens)?;
        let privileged = privileged(&model, &batch, &tokens)?;
        let decide = || recorded::decide(&model, &batch, recording, privileged.as_ref());
        let mut replayed = panics::caught(name, decide)?;
        if max_depth == 1 && has_distribution {
            replayed.decided.distributions = Some(vec![vec![1.0]; batch.rows()]);
        }
        let shares = panics::caught(name, || objective_shares(&model, &batch, recording, &replayed))?;
        for line in lines(replayed, shares, &batch, sequences.start) {
            each(&line)?;
        }
    }
    Ok(())
}

/// The recipe of the requested stage.
fn recipe(replay: &Replay) -> Result<Recipe> {
    let stages = replay.declaration.stages(replay.parameters);
    let wanted = replay.stage.unwrap_or(stages.len());
    let found = wanted.checked_sub(1).and_then(|place| stages.get(place));
    found.map(|stage| stage.recipe).ok_or_else(|| {
        let (name, count) = (replay.declaration.name, stages.len());
        Error::Usage(format!("stage: expected 1 to {count}, the stages of {name}, found {wanted}"))
    })
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

/// Each token's share of the objective.
fn objective_shares(
    model: &Model,
    batch: &Batch,
    recording: Recording,
    replayed: &Replayed,
) -> Result<Option<Vec<f64>>> {
    let Some(unrolled) = &replayed.unrolled else { return Ok(None) };
    // Objectives of early and online policies need losses, and without logits there are none.
    let needs_logits = matches!(model.policy.kind(), PolicyKind::Early | PolicyKind::Online);
    if !recording.logits && needs_logits {
        return Ok(None);
    }
    let Objective { answers, tokens } = objective(model, batch, unrolled)?;
    let numbers = |costs: &Tensor| costs.detach().to_dtype(DType::F64)?.to_vec1::<f64>();
    let mut shares = match tokens {
        Some(costs) => numbers(&costs)?,
        None => vec![0.0; batch.rows()],
    };
    for (row, cost) in batch.readout.iter().zip(numbers(&answers)?) {
        shares[row] += cost;
    }
    Ok(Some(shares))
}

/// The complexity that an oracle sees, and its range: from the metadata, or over the trace.
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

/// One line for each row of a batch; `first` is the index of its first sequence.
fn lines(
    replayed: Replayed,
    shares: Option<Vec<f64>>,
    batch: &Batch,
    first: usize,
) -> impl Iterator<Item = ReplayedToken> {
    let Replayed { depths, decided, kind, .. } = replayed;
    let Decided { scores, mut distributions, mut weights, .. } = decided;
    // A selecting policy scores before each step, other policies after it.
    let begin = usize::from(kind != PolicyKind::Select);
    let mean = |masses: &Vec<f64>, from: usize| -> f64 {
        masses.iter().enumerate().map(|(place, mass)| (place + from) as f64 * mass).sum()
    };
    depths.into_iter().zip(scores).enumerate().map(move |(row, (depth, scores))| {
        let scores = scores[begin..begin + scores.len() - 1].to_vec();
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
            objective: shares.as_ref().map(|shares| shares[row]),
            simulated: true,
        }
    })
}
