//! Selecting policies: before every step some positions are chosen; a token may rest and be woken again.

use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::policy::{Combine, HaltingRecord, Phase, Privileged, RowMemory, SelectPolicy, Selection};

use super::decision;
use super::walk::{Unrolled, Walk};
use super::with_view;
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// The result of a dense pass: output states, gates offered per step, and how often each row was chosen.
pub(super) struct Selected {
    pub states: Tensor,
    pub gates: Vec<Tensor>,
    pub chosen: Vec<Vec<bool>>,
    pub depths: Vec<u32>,
    /// About how many rows each read-out of logits was.
    pub readouts: Vec<RowSet>,
}

/// What the policy chooses before a step, and whether it read logits.
pub(super) fn choose(
    model: &Model,
    policy: &dyn SelectPolicy,
    batch: &Batch,
    at: (usize, Phase),
    (all, states): (&RowSet, &Tensor),
    privileged: Option<&Privileged>,
    memory: &mut RowMemory,
) -> Result<(Selection, bool)> {
    let (mut selection, asked) =
        with_view(model, batch, at, (all, states, states), privileged, |view| policy.select(view, memory))?;
    selection.chosen = decision::flags(model, "choices", selection.chosen, all.len())?;
    if let Some(gate) = &selection.gate {
        decision::numbers(model, "gates", gate, &[all.len()])?;
    }
    Ok((selection, asked))
}

/// Runs all D steps over every row and keeps the results of the chosen ones.
pub(super) fn pass(
    model: &Model,
    policy: &dyn SelectPolicy,
    batch: &Batch,
    first: Start,
    phase: Phase,
    privileged: Option<&Privileged>,
) -> Result<Selected> {
    let rows = batch.rows();
    let Start { mut states, input } = first;
    let mut walk = Walk::new(model, batch, input, phase);
    let mut memory = RowMemory::default();
    let mut depths = vec![0; rows];
    let mut gates = Vec::with_capacity(model.max_depth);
    let mut choices = Vec::with_capacity(model.max_depth);
    let mut readouts = Vec::new();
    for step in 0..model.max_depth {
        let all = walk.all.clone();
        let at = (step, phase);
        let (Selection { chosen, gate: offered, combine }, asked) =
            choose(model, policy, batch, at, (&all, &states), privileged, &mut memory)?;
        readouts.extend(asked.then_some(all));
        // A row that rests from the start has no keys and values of an earlier step to offer.
        let must_project = step == 0 && model.halted_keys_values == HaltedKeysValues::LatestKv;
        let resting: Vec<bool> = chosen.iter().map(|chosen| !chosen && !must_project).collect();
        let candidate = walk.candidate(&states, &resting)?;
        let mask: Vec<f64> = chosen.iter().map(|chosen| f64::from(u8::from(*chosen))).collect();
        let mut gate = Tensor::from_vec(mask, rows, states.device())?.to_dtype(states.dtype())?;
        if let Some(offered) = offered {
            gate = (gate * &offered)?;
            gates.push(offered);
        }
        let gate = gate.unsqueeze(1)?;
        let change = match combine {
            Combine::Residual => (candidate - &states)?,
            Combine::Added => candidate,
        };
        states = (states + change.broadcast_mul(&gate)?)?;
        for (depth, chosen) in depths.iter_mut().zip(&chosen) {
            *depth += u32::from(*chosen);
        }
        choices.push(chosen);
    }
    Ok(Selected { states, gates, chosen: choices, depths, readouts })
}

/// A training pass.
pub(super) fn unroll(
    model: &Model,
    policy: &dyn SelectPolicy,
    batch: &Batch,
    first: Start,
    phase: Phase,
    privileged: Option<&Privileged>,
) -> Result<Unrolled> {
    let selected = pass(model, policy, batch, first, phase, privileged)?;
    let logits = model.backbone.coda(&selected.states, &batch.layout, &batch.readout, None)?;
    let record = HaltingRecord {
        gates: selected.gates,
        chosen: selected.chosen,
        ..HaltingRecord::new(model.max_depth, selected.depths)
    };
    Ok(Unrolled { logits: vec![logits], step_weights: None, record })
}
