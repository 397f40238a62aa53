//! The paper's unroll (§§2-4): dense, with passthrough and straight-through gates, as a graph to differentiate.

use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::{D, Tensor};
use haltbench_sdk::candle_nn::ops::{log_softmax, softmax};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::log_sigmoid;
use haltbench_sdk::policy::{
    EarlyDecision, EarlyPolicy, HaltingRecord, LossAt, OnlineDecision, OnlinePolicy, Phase, Policy, Privileged,
    RowMemory,
};
use haltbench_sdk::random::Stream;

use super::walk::{Noise, Unrolled, Walk, advance, begin, read};
use super::{decision, select, soft, unaided, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// Runs one training pass over `batch`.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub fn unroll(model: &Model, batch: &Batch, noise: &Noise, privileged: Option<&Privileged>) -> Result<Unrolled> {
    let first = begin(model, batch, noise.phase())?;
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

/// The states after every step of an unroll without gates, with the loss at each.
fn every_step(model: &Model, batch: &Batch, first: Start, phase: Phase, log_q: Option<Tensor>) -> Result<Unrolled> {
    let Start { mut states, input } = first;
    let mut walk = Walk::new(model, batch, input, phase);
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
    first: Start,
    noise: &Noise,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let (rows, most) = (batch.rows(), model.max_depth);
    let all = RowSet::all(rows);
    let view = (&all, &first.states, &first.states);
    let (decision, _) = with_view(model, batch, (0, noise.phase()), view, privileged, |view| policy.decide(view))?;
    let (depths, gates, log_q) = match decision {
        EarlyDecision::Depths(depths) => (decision::depths(model, depths, rows)?, None, None),
        EarlyDecision::Scores(scores) => {
            decision::judged(model, "scores", &scores, &[rows, most], &first.states)?;
            let log_q = log_softmax(&scores, D::Minus1)?;
            if model.recipe.loss == LossAt::EveryStep {
                return every_step(model, batch, first, noise.phase(), Some(log_q));
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
    let Start { mut states, input } = first;
    let mut walk = Walk::new(model, batch, input, noise.phase());
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

fn online(
    model: &Model,
    policy: &dyn OnlinePolicy,
    batch: &Batch,
    first: Start,
    noise: &Noise,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let (rows, most) = (batch.rows(), model.max_depth);
    let every_step = model.recipe.loss == LossAt::EveryStep;
    let uniform = if every_step { vec![2.0; rows] } else { noise.draw(model, "halting", rows, Stream::uniform)? };
    let Start { mut states, input } = first;
    let mut walk = Walk::new(model, batch, input, noise.phase());
    let mut memory = RowMemory::default();
    let view = (&walk.all, &states, &states);
    with_view(model, batch, (0, noise.phase()), view, privileged, |view| policy.init(view, &mut memory))?;
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
        let mut halt = |halts: Vec<bool>| {
            for (row, halts) in halts.into_iter().enumerate() {
                if halts && open[row] && !every_step {
                    open[row] = false;
                    depths[row] = step as u32;
                }
            }
        };
        match decision {
            OnlineDecision::Halt(halts) => halt(decision::flags(model, "flags", halts, rows)?),
            OnlineDecision::Scored { scores, halts } => halt(decision::scored(model, scores, halts, rows)?.1),
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
