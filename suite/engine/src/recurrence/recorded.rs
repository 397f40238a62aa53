//! Decisions about states that were recorded: the loops of an evaluation over a backbone whose steps are known.
//!
//! The core's results are those of the trajectory, whatever has halted, been mixed or been left out by then.

use std::cell::Cell;
use std::sync::Arc;

use haltbench_sdk::backbone::StepContext;
use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{Phase, Policy, Privileged, RowMemory, SelectPolicy, View};

use super::execution::Execution;
use super::{begin, halting, replace_rows, select, soft, with_view};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::Model;

/// What a policy decides about each row of a trajectory.
pub struct Decided {
    /// Steps that it gives the row.
    pub depths: Vec<u32>,
    /// For each row the number that was compared with a threshold after steps 1..=D; `None` where the policy was not asked
    /// or had none.
    pub scores: Vec<Vec<Option<f64>>>,
    /// Probabilities of the depths 1..=D, of policies that have them.
    pub distributions: Option<Vec<Vec<f64>>>,
    /// Weights of the states after 0..=D steps, of policies that mix.
    pub weights: Option<Vec<Vec<f64>>>,
}

/// Asks the policy of `model` about `batch`. The model's backbone gives the states that were recorded; of a trajectory
/// that `has_states` not, it gives stand-ins, which a policy must not read.
///
/// # Errors
/// If the policy asks for what was not recorded, fails or breaks its contract.
pub(crate) fn decide(
    model: &Model,
    batch: &Batch,
    has_states: bool,
    privileged: Option<&Privileged>,
) -> Result<Decided> {
    let rows = batch.rows();
    let start = begin(model, batch, Phase::Evaluation)?;
    let first = start.states.clone();
    let mut pass = Pass { model, batch, has_states, privileged, scores: vec![vec![None; model.max_depth]; rows] };
    let (depths, distributions, weights) = match &model.policy {
        Policy::Early(policy) => {
            let (_, depths, distributions) = halting::early(&mut pass, policy.as_ref(), first)?;
            (depths, distributions, None)
        }
        Policy::Online(policy) => {
            let (_, depths, distributions) = halting::online(&mut pass, policy.as_ref(), first)?;
            (depths, distributions, None)
        }
        _ if !has_states => return Err(no_states(model)),
        Policy::Soft(policy) => {
            let at = (Phase::Evaluation, Execution::Compacted);
            let mixture = soft::mix(model, policy.as_ref(), batch, start, at, privileged)?;
            let weights = mixture.weights.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec2()?;
            (mixture.depths, None, Some(weights))
        }
        Policy::Select(policy) => (selected(&mut pass, policy.as_ref(), first)?, None, None),
    };
    Ok(Decided { depths, scores: pass.scores, distributions, weights })
}

/// How often a policy chooses each row. It is shown the states of the trajectory: gates do not change them.
fn selected(pass: &mut Pass, policy: &dyn SelectPolicy, mut states: Tensor) -> Result<Vec<u32>> {
    let (model, batch) = (pass.model, pass.batch);
    let (all, none) = (RowSet::all(batch.rows()), RowSet::none(batch.rows()));
    let mut memory = RowMemory::default();
    let mut depths = vec![0; batch.rows()];
    for step in 0..model.max_depth {
        let at = (step, Phase::Evaluation);
        let (selection, _) = select::choose(model, policy, batch, at, (&all, &states), pass.privileged, &mut memory)?;
        for (depth, chosen) in depths.iter_mut().zip(selection.chosen) {
            *depth += u32::from(chosen);
        }
        states = halting::Pass::step(pass, step + 1, &states, &all, &none)?;
    }
    Ok(depths)
}

fn no_states(model: &Model) -> Error {
    let operand = format!("states for policy {}", model.declaration.name);
    haltbench_sdk::Error::invalid(operand, "the tensor `states` in the trace", "no such tensor").into()
}

struct Pass<'a> {
    model: &'a Model,
    batch: &'a Batch,
    has_states: bool,
    privileged: Option<&'a Privileged>,
    scores: Vec<Vec<Option<f64>>>,
}

impl halting::Pass for Pass<'_> {
    fn model(&self) -> &Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.batch.layout
    }

    fn step(&mut self, step: usize, states: &Tensor, running: &RowSet, _: &RowSet) -> Result<Tensor> {
        let mut key_values = KeyValues::new(self.model.halted_keys_values, 0, self.batch.rows());
        let mut context = StepContext::new(step, &self.batch.layout, running, &mut key_values);
        let new = self.model.backbone.step(&running.select(states)?, &mut context)?;
        replace_rows(states, running, &new)
    }

    fn idle(&mut self, _: usize, _: &Tensor) -> Result<()> {
        Ok(())
    }

    fn show<T>(
        &mut self,
        step: usize,
        view: (&RowSet, &Tensor, &Tensor),
        ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
    ) -> Result<T> {
        let has_shown = Cell::new(false);
        let answer = with_view(self.model, self.batch, (step, Phase::Evaluation), view, self.privileged, |view| {
            let answer = ask(view);
            has_shown.set(view.has_shown_states());
            answer
        });
        if has_shown.get() && !self.has_states {
            return Err(no_states(self.model));
        }
        Ok(answer?.0)
    }

    fn charge(&mut self, _: &RowSet) {}

    fn hear(&mut self, step: usize, rows: &RowSet, scores: &[f64]) {
        for (row, score) in rows.iter().zip(scores) {
            self.scores[row][step - 1] = Some(*score).filter(|score| score.is_finite());
        }
    }
}
