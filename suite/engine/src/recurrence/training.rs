//! The paper's unroll (§§2-4) as a graph to differentiate: masked, with passthrough and straight-through gates.

use std::sync::Arc;

use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::{cross_entropy, passthrough};
use haltbench_sdk::policy::{HaltingRecord, LossAt, Phase, PolicyKind, Privileged, StepWeights, View};
use haltbench_sdk::random::Stream;

use super::depths::{Progressive, depths, step_weights};
use super::drive::{Outcome, drive};
use super::judge::{Drawn, Judge};
use super::noise::Noise;
use super::pass::{Pass, Shown, Step};
use super::walk::Walk;
use super::{begin, checks, replace_rows, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// A training pass before the loss.
pub struct Unrolled {
    /// Logits of the rows under the loss, `[readout, vocabulary]` each: one entry if the loss is taken at one state, D
    /// entries if it is taken at every step.
    pub logits: Vec<Tensor>,
    /// Weights of the losses at the D steps, `[readout, D]`, if there are D entries.
    pub step_weights: Option<Tensor>,
    /// The record for the policy's objective.
    pub record: HaltingRecord,
    /// States of all rows after 0, 1, ..., D steps, `[rows, d_model]`.
    pub states: Vec<Tensor>,
    /// The backbone's own regulariser, a scalar, if it has one.
    pub backbone_regulariser: Option<Tensor>,
    /// Phase of the pass.
    pub phase: Phase,
}

/// Runs one training pass over `batch`.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub fn unroll(model: &Model, batch: &Batch, noise: &Noise, privileged: Option<&Privileged>) -> Result<Unrolled> {
    let phase = noise.phase(model);
    let Start { states: first, input } = begin(model, batch, phase)?;
    let recipe = &model.recipe;
    let takes_part = recipe.uses_policy();
    let unaided = if takes_part { None } else { Some(unaided_depths(model, batch, noise)?) };
    let judge = match &unaided {
        Some(depths) => Judge::Given { depths: depths.clone(), asks: false },
        None => Judge::Drawn(Drawn::new(noise, batch.rows(), recipe.loss == LossAt::Halted)),
    };
    let truncation = unaided.filter(|_| recipe.backpropagate > 0);
    let truncation = truncation.map(|depths| Truncation { depths, steps: recipe.backpropagate });
    let mut pass = Training {
        model,
        batch,
        phase,
        privileged,
        walk: Walk::new(model, batch, input, phase),
        logits: Vec::new(),
        states: vec![first.clone()],
        truncation,
    };
    let Outcome { output, mut record, judge, .. } = drive(&mut pass, judge, first)?;
    let Training { phase, mut logits, mut states, mut walk, .. } = pass;
    let backbone_regulariser = model.backbone.regulariser(&mut walk.key_values)?;
    let by_policy = recipe.loss == LossAt::EveryStep && recipe.step_weights == StepWeights::Policy;
    if let Judge::Drawn(drawn) = judge {
        record.log_distribution = drawn.log_distribution(model.max_depth, &output, by_policy)?;
    }
    let step_weights = match (&record.log_distribution, recipe.loss) {
        (_, LossAt::Last | LossAt::Halted | LossAt::Objective) => {
            logits.push(read(model, batch, &output)?);
            None
        }
        (Some(log_q), LossAt::EveryStep) if by_policy => Some(batch.readout.select(log_q)?.exp()?),
        (None, LossAt::EveryStep) if by_policy => {
            return Err(model.broken("is trained at every step but gives no distribution over depths"));
        }
        (_, LossAt::EveryStep) => {
            let weights = step_weights(recipe, model.max_depth).repeat(batch.readout.len());
            let shape = (batch.readout.len(), model.max_depth);
            Some(Tensor::from_vec(weights, shape, output.device())?.to_dtype(output.dtype())?)
        }
    };
    // Once every row has halted, further steps change nothing.
    if let Some(last) = states.last().cloned() {
        states.resize(model.max_depth + 1, last);
    }
    Ok(Unrolled { logits, step_weights, record, states, backbone_regulariser, phase })
}

/// The progressive loss of each answer, `[answers]`, if the recipe has one: n steps without a gradient, k with one.
///
/// # Errors
/// If a tensor operation fails.
pub(crate) fn progressive_losses(model: &Model, batch: &Batch, noise: &Noise) -> Result<Option<Tensor>> {
    if model.recipe.progressive == 0.0 {
        return Ok(None);
    }
    let step = if let Noise::Seeded(step) = noise { *step } else { 0 };
    let mut stream = Stream::new(model.seed, "recipe-progressive", &[step]);
    let Progressive { before, with_gradient } = Progressive::draw(model.max_depth as u32, &mut stream);
    let depths = vec![before + with_gradient; batch.rows()];
    let phase = noise.phase(model);
    let Start { states: first, input } = begin(model, batch, phase)?;
    let mut pass = Training {
        model,
        batch,
        phase,
        privileged: None,
        walk: Walk::new(model, batch, input, phase),
        logits: Vec::new(),
        states: Vec::new(),
        truncation: Some(Truncation { depths: depths.clone(), steps: with_gradient as usize }),
    };
    let Outcome { output, .. } = drive(&mut pass, Judge::Given { depths, asks: false }, first)?;
    Ok(Some(cross_entropy(&read(model, batch, &output)?, &batch.targets)?))
}

/// Depth of every row if the policy takes no part in training: D, or drawn by the recipe.
fn unaided_depths(model: &Model, batch: &Batch, noise: &Noise) -> Result<Vec<u32>> {
    match noise {
        Noise::Forced(depths) => checks::depths(model, depths.clone(), batch.rows()),
        Noise::Given(_) => Ok(vec![model.max_depth as u32; batch.rows()]),
        Noise::Seeded(step) => {
            let mut stream = Stream::new(model.seed, "recipe-depth", &[*step]);
            Ok(depths(&model.recipe, model.max_depth as u32, &batch.layout, &mut stream))
        }
    }
}

/// Logits of the rows under the loss.
pub(crate) fn read(model: &Model, batch: &Batch, states: &Tensor) -> Result<Tensor> {
    Ok(model.backbone.coda(states, &batch.layout, &batch.readout, None)?)
}

/// `states` with gradients only for the rows in `live`.
fn cut(states: &Tensor, live: &RowSet) -> Result<Tensor> {
    if live.is_all() {
        return Ok(states.clone());
    }
    let constant = states.detach();
    if live.is_empty() { Ok(constant) } else { replace_rows(&constant, live, &live.select(states)?) }
}

struct Training<'a> {
    model: &'a Model,
    batch: &'a Batch,
    phase: Phase,
    privileged: Option<&'a Privileged>,
    walk: Walk<'a>,
    /// Logits after every step, if the loss is taken at every step.
    logits: Vec<Tensor>,
    states: Vec<Tensor>,
    truncation: Option<Truncation>,
}

/// Gradients pass only through the last steps of each row.
struct Truncation {
    /// The depth of each row.
    depths: Vec<u32>,
    /// Number of last steps with a gradient.
    steps: usize,
}

impl<'a> Pass<'a> for Training<'a> {
    fn model(&self) -> &'a Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.batch.layout
    }

    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let mut states = self.advance(step, states)?;
        if let Some(Truncation { depths, steps }) = &self.truncation {
            let reached = step.number as u64 + *steps as u64;
            let live: Vec<bool> = depths.iter().map(|depth| u64::from(*depth) < reached).collect();
            states = cut(&states, &RowSet::from_mask(&live))?;
        }
        if self.model.recipe.loss == LossAt::EveryStep {
            self.logits.push(read(self.model, self.batch, &states)?);
        }
        self.states.push(states.clone());
        Ok(states)
    }

    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T> {
        Ok(with_view(self.model, self.batch, self.phase, shown, self.privileged, ask)?.answer)
    }
}

impl Training<'_> {
    /// h(d): the candidate for rows that take the step, h(d-1) for the others. The gate has the gradient of
    /// `step.soft`.
    fn advance(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let resting = step.resting();
        let runs_on = self.model.halted_keys_values == HaltedKeysValues::RunOn && resting.contains(&true);
        if runs_on && matches!(self.model.policy.kind(), PolicyKind::Early | PolicyKind::Online) {
            return Err(crate::Error::Usage(
                "halted_keys_values = \"run-on\" is an option of evaluation; training needs freeze-state, latest-kv or \
                 skip"
                .to_owned(),
            ));
        }
        self.walk.step = step.number - 1;
        if let Some(soft) = step.soft {
            if step.keys_values.is_some() || step.log_key_weights.is_some() {
                // Candidates of halted rows are reused as long as no state changes.
                return Err(self.model.broken("changes keys and values, but its depths are drawn in training"));
            }
            let candidates = self.walk.gated_candidates(states, resting.clone(), step.planned)?;
            // Every token takes the first step, so it has no gate.
            if step.number == 1 {
                return Ok(candidates.computed);
            }
            let open = resting.iter().map(|resting| !resting).collect();
            return Ok(passthrough(&candidates, states, soft, &Arc::new(open))?);
        }
        // A row that rests from the start has no keys and values of an earlier step.
        let first = step.number == 1 && self.model.halted_keys_values == HaltedKeysValues::LatestKv;
        let all = RowSet::all(resting.len());
        let (rows, resting) = match () {
            () if first => (&all, vec![false; resting.len()]),
            () if runs_on => (&all, resting),
            () => (step.takes, resting),
        };
        if rows.is_empty() {
            return Ok(states.clone());
        }
        step.offer(states, &mut self.walk.key_values)?;
        let new = self.walk.compute(states, &resting, rows, None, step.planned)?;
        // Under run-on, the states of stopped rows change too, for their keys and values.
        if runs_on && !step.wakes {
            return replace_rows(states, rows, &new);
        }
        let new = if rows.len() == step.takes.len() { new } else { step.takes.select(&new)? };
        let new = step.joined(|| step.takes.select(states), new)?;
        replace_rows(states, step.takes, &new)
    }
}
