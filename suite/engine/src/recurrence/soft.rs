//! Soft policies: the output is a mixture of the states after several steps.

use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::policy::{HaltingRecord, Phase, Privileged, RowMemory, SoftPolicy};

use super::decision;
use super::execution::{Execution, StepWork};
use super::halting::still_seen;
use super::walk::{Unrolled, Walk};
use super::{replace_rows, shrink, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// How far the sum of a token's weights may be from one.
const TOLERANCE: f64 = 1e-4;

/// The mixture of a dense pass: output states, weights `[rows, D + 1]` and executed depths.
pub(super) struct Mixture {
    pub states: Tensor,
    pub weights: Tensor,
    pub depths: Vec<u32>,
    pub expected: Vec<f64>,
    /// About how many rows each read-out of logits was.
    pub readouts: Vec<RowSet>,
    /// What each step computed.
    pub steps: Vec<StepWork>,
}

/// Mixes the states of a pass; rows that have stopped keep their state and get no more weight. A dense execution computes
/// them all the same, and discards what it computed.
pub(super) fn mix(
    model: &Model,
    policy: &dyn SoftPolicy,
    batch: &Batch,
    first: Start,
    (phase, execution): (Phase, Execution),
    privileged: Option<&Privileged>,
) -> Result<Mixture> {
    let rows = batch.rows();
    let Start { mut states, input } = first;
    let mut walk = Walk::new(model, batch, input, phase);
    let mut memory = RowMemory::default();
    let mut running = vec![true; rows];
    let mut depths = vec![0; rows];
    let mut columns = Vec::with_capacity(model.max_depth + 1);
    let mut output: Option<Tensor> = None;
    let (mut totals, mut expected) = (vec![0.0; rows], vec![0.0; rows]);
    let mut readouts = Vec::new();
    let mut steps = Vec::with_capacity(model.max_depth);
    for step in 0..=model.max_depth {
        if step > 0 {
            let halted: Vec<bool> = running.iter().map(|running| !running).collect();
            // Tokens that have stopped are computed only where they go on for the sake of their keys and values.
            let computed = if model.halted_keys_values == HaltedKeysValues::RunOn {
                walk.all.clone()
            } else {
                RowSet::from_mask(&running)
            };
            let refreezes = model.halted_keys_values == HaltedKeysValues::FreezeState;
            let just_halted = |row: usize| halted[row] && depths[row] as usize + 1 == step;
            let settled = RowSet::from_mask(&(0..rows).map(just_halted).collect::<Vec<bool>>());
            let executed = if execution == Execution::Dense { walk.all.clone() } else { computed.clone() };
            let mut new = walk.compute(&states, &halted, &executed, None)?;
            if executed.len() != computed.len() {
                new = computed.select(&new)?;
            }
            states = replace_rows(&states, &computed, &new)?;
            let projected = if refreezes && execution == Execution::Compacted {
                still_seen(&batch.layout, &settled, &computed)
            } else {
                RowSet::none(rows)
            };
            steps.push(StepWork { rows: executed, visible: walk.key_values.visible().cloned(), projected });
            for (depth, running) in depths.iter_mut().zip(&running) {
                *depth += u32::from(*running);
            }
        }
        let asked_rows = RowSet::from_mask(&running);
        let seen = asked_rows.select(&states)?;
        let (decision, asked) =
            with_view(model, batch, (step, phase), (&asked_rows, &seen, &states), privileged, |view| {
                policy.weigh(view, &mut memory)
            })?;
        readouts.extend(asked.then(|| asked_rows.clone()));
        let values = decision::numbers(model, "weights", &decision.weight, &[asked_rows.len()])?;
        for (row, weight) in asked_rows.iter().zip(values) {
            if weight < -TOLERANCE {
                return Err(model.broken(format!("the weight of row {row} after step {step} is negative: {weight}")));
            }
            totals[row] += weight;
            expected[row] += weight * step as f64;
        }
        let nothing = Tensor::zeros((rows, 1), states.dtype(), states.device())?;
        let weight = replace_rows(&nothing, &asked_rows, &decision.weight.unsqueeze(1)?)?;
        let part = states.broadcast_mul(&weight)?;
        output = Some(match output {
            None => part,
            Some(output) => (output + part)?,
        });
        columns.push(weight.squeeze(1)?);
        if let Some(carry) = decision.carry {
            if carry.dims() != seen.dims() {
                let (found, expected) = (carry.dims(), seen.dims());
                return Err(model.broken(format!("carried states have the shape {found:?}, expected {expected:?}")));
            }
            states = replace_rows(&states, &asked_rows, &carry)?;
        }
        let goes_on = decision::flags(model, "flags", decision.running, asked_rows.len())?;
        if let (0, Some(row)) = (step, goes_on.iter().position(|goes_on| !goes_on)) {
            return Err(model.broken(format!("row {row} stops before its first step")));
        }
        for (row, goes_on) in asked_rows.iter().zip(goes_on) {
            running[row] = goes_on;
        }
        let still = RowSet::from_mask(&running);
        if still.is_empty() {
            if execution == Execution::Dense {
                for _ in step..model.max_depth {
                    let all = walk.all.clone();
                    walk.compute(&states, &vec![true; rows], &all, None)?;
                    let projected = RowSet::none(rows);
                    steps.push(StepWork { rows: all, visible: walk.key_values.visible().cloned(), projected });
                }
            }
            break;
        }
        shrink(&mut memory, &asked_rows, &still, &states)?;
    }
    if let Some(row) = totals.iter().position(|total| (total - 1.0).abs() > TOLERANCE) {
        return Err(model.broken(format!("the weights of row {row} sum to {}, not to 1", totals[row])));
    }
    while columns.len() <= model.max_depth {
        columns.push(columns[0].zeros_like()?);
    }
    let states = output.ok_or_else(|| model.broken("gave no weights"))?;
    Ok(Mixture { states, weights: Tensor::stack(&columns, 1)?, depths, expected, readouts, steps })
}

/// A training pass.
pub(super) fn unroll(
    model: &Model,
    policy: &dyn SoftPolicy,
    batch: &Batch,
    first: Start,
    phase: Phase,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let mixture = mix(model, policy, batch, first, (phase, Execution::Compacted), privileged)?;
    let logits = model.backbone.coda(&mixture.states, &batch.layout, &batch.readout, None)?;
    let record =
        HaltingRecord { weights: Some(mixture.weights), ..HaltingRecord::new(model.max_depth, mixture.depths) };
    Ok(Unrolled { logits: vec![logits], step_weights: None, record })
}
