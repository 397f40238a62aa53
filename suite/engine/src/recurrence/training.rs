//! The paper's unroll (§§2-4): dense, with passthrough and straight-through gates, as a graph to differentiate.

use std::sync::Arc;

use haltbench_sdk::backbone::StepContext;
use haltbench_sdk::candle_core::{D, Tensor};
use haltbench_sdk::candle_nn::ops::{log_softmax, softmax};
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::{Candidates, EarlierCandidates, gather_rows, log_sigmoid, passthrough, update_rows};
use haltbench_sdk::policy::{
    EarlyDecision, EarlyPolicy, HaltingRecord, LossAt, OnlineDecision, OnlinePolicy, Phase, Policy, Privileged,
    RowMemory,
};
use haltbench_sdk::random::Stream;

use super::decision;
use super::{replace_rows, select, soft, unaided, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// The random numbers of one training step.
pub enum Noise {
    /// From the seeded stream of this training step.
    Seeded(u64),
    /// Given row by row: D Gumbel numbers each for early policies, one uniform number each for online ones.
    Given(Vec<f64>),
    /// None: every row halts at the depth given for it. Soft gates are those of noise 0.
    Forced(Vec<u32>),
}

impl Noise {
    fn draw(&self, model: &Model, purpose: &str, count: usize, draw: fn(&mut Stream) -> f64) -> Result<Vec<f64>> {
        match self {
            Self::Seeded(step) => {
                let mut stream = Stream::new(model.seed, purpose, &[*step]);
                Ok((0..count).map(|_| draw(&mut stream)).collect())
            }
            Self::Given(values) if values.len() == count => Ok(values.clone()),
            Self::Forced(_) => Ok(vec![0.0; count]),
            Self::Given(values) => {
                Err(crate::Error::Usage(format!("noise: expected {count} numbers, found {}", values.len())))
            }
        }
    }

    fn phase(&self) -> Phase {
        match self {
            Self::Seeded(step) => Phase::Training(*step),
            Self::Given(_) | Self::Forced(_) => Phase::Training(0),
        }
    }

    fn forced(&self) -> Option<&[u32]> {
        match self {
            Self::Forced(depths) => Some(depths),
            _ => None,
        }
    }
}

/// A training pass before the loss.
pub struct Unrolled {
    /// Logits of the rows under the loss, one entry when the loss is taken at the halted states, D entries when it is
    /// taken at every step; each `[readout, vocabulary]`.
    pub logits: Vec<Tensor>,
    /// Weight of each of several logits, `[readout, D]`.
    pub step_weights: Option<Tensor>,
    /// What the regulariser sees.
    pub record: HaltingRecord,
}

/// State of an unroll between two steps.
pub(super) struct Walk<'a> {
    pub model: &'a Model,
    pub batch: &'a Batch,
    pub all: RowSet,
    pub key_values: KeyValues,
    pub step: usize,
    last: Option<LastCandidates>,
}

/// The candidates of the last gated step, without gradients.
struct LastCandidates {
    rows: RowSet,
    /// Those of `rows`.
    computed: Tensor,
    /// Those of all other rows, which no step will change: `[rows, d_model]`.
    earlier: Option<Tensor>,
    /// The rows that had halted before they were computed.
    halted: Vec<bool>,
}

impl LastCandidates {
    /// The candidates of all rows but those that the next step computes, some of `rows`. `states` has a row for each.
    fn but(&self, next: &RowSet, states: &Tensor) -> Result<Tensor> {
        let earlier = match &self.earlier {
            Some(earlier) => earlier.clone(),
            None => states.zeros_like()?,
        };
        let mut leaves = vec![false; next.total()];
        self.rows.iter().for_each(|row| leaves[row] = true);
        next.iter().for_each(|row| leaves[row] = false);
        let leaving = RowSet::from_mask(&leaves);
        // Earlier steps share this memory: they read other rows of it.
        let last = gather_rows(&self.computed, &leaving.places_in(&self.rows))?;
        Ok(update_rows(&earlier, leaving.shared(), &last)?)
    }
}

impl<'a> Walk<'a> {
    pub fn new(model: &'a Model, batch: &'a Batch) -> Self {
        let layers = model.backbone.dimensions().core_layers;
        let key_values = KeyValues::new(model.halted_keys_values, layers, batch.rows());
        Self { model, batch, all: RowSet::all(batch.rows()), key_values, step: 0, last: None }
    }

    /// R(h) of every row; `halted` are the rows that halted before it.
    pub fn candidate(&mut self, states: &Tensor, halted: &[bool]) -> Result<Tensor> {
        let all = self.all.clone();
        self.compute(states, halted, &all, None)
    }

    /// R(h) of every row, where those of halted rows are wanted for their gates alone: they have no backward pass, and
    /// where nothing that a row can see has moved since the last step, its candidate is the last one.
    fn gated_candidates(&mut self, states: &Tensor, halted: Vec<bool>) -> Result<Candidates> {
        let running = RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<bool>>());
        let (rows, earlier) = match self.last.take() {
            None => (self.all.clone(), None),
            Some(last) => {
                let moved = sees_movement(&self.batch.layout, &last.halted);
                let earlier = if moved.is_all() { None } else { Some(last.but(&moved, states)?) };
                (moved, earlier)
            }
        };
        let computed = if rows.is_empty() {
            self.step += 1;
            states.narrow(0, 0, 0)?.detach()
        } else {
            self.compute(states, &halted, &rows, Some(&running))?
        };
        self.last =
            Some(LastCandidates { rows: rows.clone(), computed: computed.detach(), earlier: earlier.clone(), halted });
        let earlier = earlier.map(|candidates| EarlierCandidates { computed: rows.shared().clone(), candidates });
        Ok(Candidates { computed, earlier })
    }

    /// R(h) of `rows`; `halted` are the rows of all that halted before it.
    pub fn compute(
        &mut self,
        states: &Tensor,
        halted: &[bool],
        rows: &RowSet,
        differentiated: Option<&RowSet>,
    ) -> Result<Tensor> {
        self.step += 1;
        self.key_values.begin_dense(rows, halted, states)?;
        let mut context = StepContext {
            differentiated,
            recompute: self.model.recompute,
            ..StepContext::new(self.step, &self.batch.layout, rows, &mut self.key_values)
        };
        Ok(self.model.backbone.step(&rows.select(states)?, &mut context)?)
    }
}

/// The rows that see a row, themselves included, that had not halted: from its sequence's first such row on.
pub(crate) fn sees_movement(layout: &TokenLayout, halted: &[bool]) -> RowSet {
    let mut moved = false;
    let sees: Vec<bool> = (0..layout.rows())
        .map(|row| {
            moved = !halted[row] || (moved && layout.position(row) > 0);
            moved
        })
        .collect();
    RowSet::from_mask(&sees)
}

/// Runs one training pass over `batch`.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub fn unroll(model: &Model, batch: &Batch, noise: &Noise, privileged: Option<&Privileged>) -> Result<Unrolled> {
    let first = model.backbone.prelude(&batch.tokens, &batch.layout, None)?;
    if !model.recipe.uses_policy() {
        return unaided::unroll(model, batch, first, noise);
    }
    match &model.policy {
        Policy::Early(policy) => early(model, policy.as_ref(), batch, first, noise, privileged),
        Policy::Online(policy) => online(model, policy.as_ref(), batch, first, noise, privileged),
        Policy::Soft(policy) => soft::unroll(model, policy.as_ref(), batch, first, noise.phase(), privileged),
        Policy::Select(policy) => select::unroll(model, policy.as_ref(), batch, first, noise.phase(), privileged),
    }
}

fn record(model: &Model, depths: Vec<u32>, log_distribution: Option<Tensor>) -> HaltingRecord {
    HaltingRecord { log_distribution, ..HaltingRecord::new(model.max_depth, depths) }
}

pub(super) fn read(model: &Model, batch: &Batch, states: &Tensor) -> Result<Tensor> {
    Ok(model.backbone.coda(states, &batch.layout, &batch.readout, None)?)
}

/// The states after every step of an unroll without gates, with the loss at each.
fn every_step(model: &Model, batch: &Batch, mut states: Tensor, log_q: Option<Tensor>) -> Result<Unrolled> {
    let mut walk = Walk::new(model, batch);
    let mut logits = Vec::with_capacity(model.max_depth);
    for _ in 0..model.max_depth {
        states = walk.candidate(&states, &vec![false; batch.rows()])?;
        logits.push(read(model, batch, &states)?);
    }
    finish_every_step(model, batch, logits, log_q)
}

fn finish_every_step(model: &Model, batch: &Batch, logits: Vec<Tensor>, log_q: Option<Tensor>) -> Result<Unrolled> {
    let log_q = log_q.ok_or_else(|| model.broken("is trained at every step but gives no distribution over depths"))?;
    let step_weights = Some(batch.readout.select(&log_q)?.exp()?);
    let depths = vec![model.max_depth as u32; batch.rows()];
    Ok(Unrolled { logits, step_weights, record: record(model, depths, Some(log_q)) })
}

fn early(
    model: &Model,
    policy: &dyn EarlyPolicy,
    batch: &Batch,
    first: Tensor,
    noise: &Noise,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let (rows, most) = (batch.rows(), model.max_depth);
    let all = RowSet::all(rows);
    let view = (&all, &first, &first);
    let (decision, _) = with_view(model, batch, (0, noise.phase()), view, privileged, |view| policy.decide(view))?;
    let (depths, gates, log_q) = match decision {
        EarlyDecision::Depths(depths) => (decision::depths(model, depths, rows)?, None, None),
        EarlyDecision::Scores(scores) => {
            decision::judged(model, "scores", &scores, &[rows, most], &first)?;
            let log_q = log_softmax(&scores, D::Minus1)?;
            if model.recipe.loss == LossAt::EveryStep {
                return every_step(model, batch, first, Some(log_q));
            }
            let gumbel = noise.draw(model, "gumbel", rows * most, Stream::gumbel)?;
            let gumbel = Tensor::from_vec(gumbel, (rows, most), scores.device())?.to_dtype(scores.dtype())?;
            let noisy = ((scores + gumbel)? / policy.temperature())?;
            let values = decision::numbers(model, "noisy scores", &noisy, &[rows, most])?;
            let depths = match noise.forced() {
                Some(depths) => decision::depths(model, depths.to_vec(), rows)?,
                None => values.chunks_exact(most).map(argmax).collect(),
            };
            (depths, Some(at_least(&softmax(&noisy, D::Minus1)?)?), Some(log_q))
        }
    };
    let mut walk = Walk::new(model, batch);
    let mut states = first;
    let deepest = if gates.is_some() { most } else { depths.iter().copied().max().unwrap_or(1) as usize };
    for step in 1..=deepest {
        let open: Vec<bool> = depths.iter().map(|depth| *depth as usize >= step).collect();
        let soft = gates.as_ref().map(|gates| gates.narrow(1, step - 1, 1)?.squeeze(1)).transpose()?;
        states = advance(&mut walk, states, open, soft)?;
    }
    Ok(Unrolled {
        logits: vec![read(model, batch, &states)?],
        step_weights: None,
        record: record(model, depths, log_q),
    })
}

/// h(d): the candidate where the gate is open, h(d-1) elsewhere; the gate's gradient is that of `soft`.
pub(super) fn advance(walk: &mut Walk, states: Tensor, open: Vec<bool>, soft: Option<Tensor>) -> Result<Tensor> {
    let halted: Vec<bool> = open.iter().map(|open| !open).collect();
    if walk.model.halted_keys_values == HaltedKeysValues::RunOn && halted.contains(&true) {
        return Err(crate::Error::Usage(
            "halted_keys_values = \"run-on\" is an option of evaluation; training needs freeze-state, latest-kv or skip"
                .to_owned(),
        ));
    }
    match soft {
        // Every token takes the first step, whatever its gate would say.
        Some(_) if walk.step == 0 => Ok(walk.gated_candidates(&states, halted)?.computed),
        Some(soft) => Ok(passthrough(&walk.gated_candidates(&states, halted)?, &states, &soft, &Arc::new(open))?),
        None => {
            let running = RowSet::from_mask(&open);
            let new = walk.compute(&states, &halted, &running, None)?;
            replace_rows(&states, &running, &new)
        }
    }
}

fn online(
    model: &Model,
    policy: &dyn OnlinePolicy,
    batch: &Batch,
    first: Tensor,
    noise: &Noise,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let (rows, most) = (batch.rows(), model.max_depth);
    let every_step = model.recipe.loss == LossAt::EveryStep;
    let uniform = if every_step { vec![2.0; rows] } else { noise.draw(model, "halting", rows, Stream::uniform)? };
    let mut walk = Walk::new(model, batch);
    let mut memory = RowMemory::default();
    let mut states = first;
    let mut depths = vec![most as u32; rows];
    let mut open = vec![true; rows];
    let mut cumulative = vec![0.0; rows];
    let mut log_survival: Option<Tensor> = None;
    let mut columns = Vec::with_capacity(most);
    let mut logits = Vec::new();
    for step in 1..=most {
        let soft = log_survival.as_ref().filter(|_| !every_step).map(Tensor::exp).transpose()?;
        states = advance(&mut walk, states, open.clone(), soft)?;
        if every_step {
            logits.push(read(model, batch, &states)?);
        }
        if step == most {
            break;
        }
        let all = walk.all.clone();
        let view = (&all, &states, &states);
        let (decision, _) =
            with_view(model, batch, (step, noise.phase()), view, privileged, |view| policy.observe(view, &mut memory))?;
        match decision {
            OnlineDecision::Halt(halt) => {
                for (row, halts) in decision::flags(model, "flags", halt, rows)?.into_iter().enumerate() {
                    if halts && open[row] && !every_step {
                        open[row] = false;
                        depths[row] = step as u32;
                    }
                }
            }
            OnlineDecision::Hazards(hazards) => {
                let values = decision::judged(model, "hazards", &hazards, &[rows], &states)?;
                for (row, logit) in values.into_iter().enumerate() {
                    cumulative[row] += (1.0 - cumulative[row]) * decision::sigmoid(logit);
                    let halts = match noise.forced() {
                        Some(depths) => depths[row] as usize <= step,
                        None => cumulative[row] >= uniform[row],
                    };
                    if open[row] && halts {
                        open[row] = false;
                        depths[row] = step as u32;
                    }
                }
                let (halt, go_on) = (log_sigmoid(&hazards)?, log_sigmoid(&hazards.neg()?)?);
                columns.push(match &log_survival {
                    None => halt,
                    Some(survival) => (survival + halt)?,
                });
                log_survival = Some(match log_survival {
                    None => go_on,
                    Some(survival) => (survival + go_on)?,
                });
            }
        }
    }
    let log_q = match log_survival {
        // With D = 1 there is nothing to observe: the only depth is certain.
        None if every_step && most == 1 => Some(Tensor::zeros((rows, 1), states.dtype(), states.device())?),
        None => None,
        Some(rest) => {
            columns.push(rest);
            Some(Tensor::stack(&columns, 1)?)
        }
    };
    if every_step {
        return finish_every_step(model, batch, logits, log_q);
    }
    Ok(Unrolled {
        logits: vec![read(model, batch, &states)?],
        step_weights: None,
        record: record(model, depths, log_q),
    })
}

/// The depth of the largest entry, the lowest of several.
fn argmax(row: &[f64]) -> u32 {
    let best = row.iter().copied().fold(f64::MIN, f64::max);
    1 + row.iter().position(|value| *value == best).unwrap_or(0) as u32
}

/// a(d) = sum over j >= d of y_j, for every d: `[rows, D]`.
fn at_least(y: &Tensor) -> Result<Tensor> {
    let depth = y.dim(1)?;
    let triangle: Vec<f64> =
        (0..depth * depth).map(|index| f64::from(u8::from(index / depth >= index % depth))).collect();
    let triangle = Tensor::from_vec(triangle, (depth, depth), y.device())?.to_dtype(y.dtype())?;
    Ok(y.matmul(&triangle)?)
}
