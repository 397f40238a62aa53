//! Decisions about recorded states: the loop over a backbone whose steps were recorded.
//!
//! Every step returns the recorded states: halting, mixing or choosing tokens does not change them.

use std::cell::Cell;
use std::sync::Arc;

use haltbench_sdk::backbone::StepContext;
use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{HaltingRecord, LossAt, Phase, PolicyKind, Privileged, StepWeights, View};

use super::depths::step_weights;
use super::drive::drive;
use super::evaluation::Decided;
use super::judge::{Drawn, Judge};
use super::noise::Noise;
use super::pass::{Pass, Shown, Step};
use super::training::Unrolled;
use super::{begin, with_view};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::Model;

/// Which tensors of a trajectory were recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recording {
    /// Whether there are states. If not, the backbone returns placeholders, which a policy must not read.
    pub states: bool,
    /// Whether there are logits.
    pub logits: bool,
    /// Whether there are targets, possibly none for these tokens.
    pub targets: bool,
}

/// Decisions of a policy about each row of a trajectory.
pub(crate) struct Replayed {
    /// Depth of each row.
    pub depths: Vec<u32>,
    /// All other decisions.
    pub decided: Decided,
    /// The policy's kind.
    pub kind: PolicyKind,
    /// A training pass over the trajectory, if the trace has states and targets.
    pub unrolled: Option<Unrolled>,
}

/// Runs the policy of `model` on `batch`; the model's backbone returns the recorded states.
///
/// # Errors
/// If the policy reads a tensor that was not recorded, fails or breaks its contract.
pub(crate) fn decide(
    model: &Model,
    batch: &Batch,
    recording: Recording,
    privileged: Option<&Privileged>,
) -> Result<Replayed> {
    let rows = batch.rows();
    if !recording.states && matches!(model.policy.kind(), PolicyKind::Soft | PolicyKind::Select) {
        return Err(no_states(model));
    }
    let first = begin(model, batch, Phase::Evaluation)?.states;
    let mut pass = Trajectory { model, batch, recording, privileged, phase: Phase::Evaluation, states: Vec::new() };
    let outcome = drive(&mut pass, Judge::recorded(), first)?;
    let mut decided = Decided::new(&outcome, rows, model.max_depth)?;
    let by_rule = match &outcome.judge {
        Judge::Rule(rule) => rule.depths(model),
        _ => None,
    };
    let depths = by_rule.unwrap_or(outcome.record.depths);
    let kind = model.policy.kind();
    if kind != PolicyKind::Select {
        // A policy with hazards was asked after the halt too, but there is nothing left to compare.
        for (scores, depth) in decided.scores.iter_mut().zip(&depths) {
            scores.iter_mut().skip(*depth as usize + 1).for_each(|score| *score = None);
        }
    }
    let unrolled = match recording.states && recording.targets {
        true => Some(unrolled(&mut pass, recording.logits, &depths)?),
        false => None,
    };
    Ok(Replayed { depths, decided, kind, unrolled })
}

/// A training pass over the trajectory, as at the end of training. No row of an early or online policy halts in it; their
/// depths come from evaluation.
fn unrolled(pass: &mut Trajectory, has_logits: bool, depths: &[u32]) -> Result<Unrolled> {
    let (model, batch) = (pass.model, pass.batch);
    let noise = Noise::Seeded(u64::MAX);
    let first = begin(model, batch, Phase::Evaluation)?.states;
    (pass.phase, pass.states) = (noise.phase(model), vec![first.clone()]);
    let monotone = matches!(model.policy.kind(), PolicyKind::Early | PolicyKind::Online);
    let judge = match monotone {
        true => Judge::Drawn(Drawn::new(&noise, batch.rows(), false)),
        false => Judge::rule(),
    };
    let outcome = drive(pass, judge, first)?;
    let mut record = outcome.record;
    if let Judge::Drawn(drawn) = outcome.judge {
        record.log_distribution = drawn.log_distribution(model.max_depth, &outcome.output, true)?;
        record.depths = depths.to_vec();
    }
    let mut logits = Vec::new();
    // The logits of an output that is no state are not in a trace.
    if has_logits && monotone && record.weights.is_none() {
        for step in 1..=model.max_depth {
            logits.push(pass.read_out(step)?);
        }
    }
    let mut states = std::mem::take(&mut pass.states);
    if let Some(last) = states.last().cloned() {
        states.resize(model.max_depth + 1, last);
    }
    let step_weights = weights(model, batch, &record, depths)?;
    let phase = pass.phase;
    Ok(Unrolled { logits, step_weights, record, states, backbone_regulariser: None, phase })
}

/// Weights of the losses of the steps, `[readout, D]`: from the recipe, or 1 at the depth at which the loss is taken.
fn weights(model: &Model, batch: &Batch, record: &HaltingRecord, depths: &[u32]) -> Result<Option<Tensor>> {
    if model.recipe.loss == LossAt::EveryStep {
        if let (StepWeights::Policy, Some(log_q)) = (model.recipe.step_weights, &record.log_distribution) {
            return Ok(Some(batch.readout.select(log_q)?.exp()?));
        }
        let weights = step_weights(&model.recipe, model.max_depth).repeat(batch.readout.len());
        return Ok(Some(Tensor::from_vec(weights, (batch.readout.len(), model.max_depth), &Device::Cpu)?));
    }
    let at = |row: usize| {
        let depth = if model.recipe.loss == LossAt::Halted { depths[row] as usize } else { model.max_depth };
        (1..=model.max_depth).map(move |step| f64::from(u8::from(step == depth)))
    };
    let shape = (batch.readout.len(), model.max_depth);
    let weights: Vec<f64> = batch.readout.iter().flat_map(at).collect();
    Ok(Some(Tensor::from_vec(weights, shape, &Device::Cpu)?.to_dtype(DType::F64)?))
}

fn no_states(model: &Model) -> Error {
    let operand = format!("states for policy {}", model.declaration.name);
    haltbench_sdk::Error::invalid(operand, "the tensor `states` in the trace", "no such tensor").into()
}

struct Trajectory<'a> {
    model: &'a Model,
    batch: &'a Batch,
    recording: Recording,
    privileged: Option<&'a Privileged>,
    phase: Phase,
    states: Vec<Tensor>,
}

impl Trajectory<'_> {
    fn recorded(&self, step: usize, states: &Tensor) -> Result<Tensor> {
        let mut key_values = KeyValues::new(self.model.halted_keys_values, 0, self.batch.rows());
        let all = RowSet::all(self.batch.rows());
        let mut context = StepContext::new(step, &self.batch.layout, &all, &mut key_values);
        Ok(self.model.backbone.step(states, &mut context)?)
    }

    /// The recorded logits of the answers after `step` steps.
    fn read_out(&self, step: usize) -> Result<Tensor> {
        let states = self.recorded(step, &self.states[0])?;
        Ok(self.model.backbone.coda(&states, &self.batch.layout, &self.batch.readout, None)?)
    }
}

impl<'a> Pass<'a> for Trajectory<'a> {
    fn model(&self) -> &'a Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.batch.layout
    }

    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let states = self.recorded(step.number, states)?;
        self.states.push(states.clone());
        Ok(states)
    }

    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T> {
        let has_shown = Cell::new(false);
        let answered = with_view(self.model, self.batch, self.phase, shown, self.privileged, |view| {
            let answer = ask(view);
            has_shown.set(view.has_shown_states());
            answer
        });
        if has_shown.get() && !self.recording.states {
            return Err(no_states(self.model));
        }
        Ok(answered?.answer)
    }
}
