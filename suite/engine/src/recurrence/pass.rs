//! A forward pass that the loop drives: evaluation, training, decoding or a recorded trajectory.

use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{Combine, Decision, Gate, RowMemory, View};

use super::replace_rows;
use crate::Result;
use crate::model::Model;

/// A step that the loop asks for.
pub(crate) struct Step<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The rows that take it.
    pub takes: &'a RowSet,
    /// Rows that rest, are seen by a row of `takes` and have not projected keys and values from the state they are in.
    pub settled: &'a RowSet,
    /// Whether rows that rest may be woken.
    pub wakes: bool,
    /// How the result joins the states of `takes`, in whose order the gate is.
    pub gate: Option<&'a Gate>,
    /// The gate of training, `[rows]`: the candidates of rows that rest are needed for its gradient.
    pub soft: Option<&'a Tensor>,
    /// What the core's first layer projects keys and values of `takes` from instead of their states, `[takes.len(), d_model]`.
    pub keys_values: Option<&'a Tensor>,
}

impl Step<'_> {
    /// Whether each row rests.
    pub fn resting(&self) -> Vec<bool> {
        let mut resting = vec![true; self.takes.total()];
        self.takes.iter().for_each(|row| resting[row] = false);
        resting
    }

    /// What the core's first layer projects keys and values of all rows from instead of the states `[rows, d_model]`.
    pub fn offered(&self, states: &Tensor) -> Result<Option<Tensor>> {
        self.keys_values.map(|offered| replace_rows(states, self.takes, offered)).transpose()
    }

    /// What the rows of `takes` come to when their states `old` meet the step's result `new`, both `[takes.len(), d_model]`.
    pub fn joined(&self, old: impl FnOnce() -> haltbench_sdk::Result<Tensor>, new: Tensor) -> Result<Tensor> {
        let Some(Gate { values, combine }) = self.gate else { return Ok(new) };
        let old = old()?;
        let change = match combine {
            Combine::Residual => (new - &old)?,
            Combine::Added => new,
        };
        Ok((old + change.broadcast_mul(&values.unsqueeze(1)?)?)?)
    }
}

/// Rows that a policy is shown.
pub(crate) struct Shown<'a> {
    /// Steps taken so far.
    pub step: usize,
    /// The rows.
    pub rows: &'a RowSet,
    /// Their states, `[rows.len(), d_model]`.
    pub states: &'a Tensor,
    /// States of all rows.
    pub all: &'a Tensor,
}

/// A forward pass that the loop drives, of a model that outlives it.
pub(crate) trait Pass<'m> {
    /// The model.
    fn model(&self) -> &'m Model;

    /// Which row is which token.
    fn layout(&self) -> &Arc<TokenLayout>;

    /// States of all rows after a step.
    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor>;

    /// The steps after the last one that a row takes, of which `done` were taken.
    fn idle(&mut self, _done: usize, _states: &Tensor) -> Result<()> {
        Ok(())
    }

    /// Shows a policy some rows and charges a read-out of logits.
    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T>;

    /// Charges a decision about each of `rows`.
    fn charge(&mut self, _rows: &RowSet) {}

    /// Hears that the policy has replaced the states of `rows` by `states`.
    fn carry(&mut self, _rows: &RowSet, _states: &Tensor) -> Result<()> {
        Ok(())
    }

    /// What the model's policy decides about some rows.
    fn ask(&mut self, shown: &Shown, memory: &mut RowMemory) -> Result<Decision> {
        let policy = &self.model().policy;
        let decision = self.show(shown, |view| policy.decide(view, memory))?;
        if decision.is_charged {
            self.charge(shown.rows);
        }
        Ok(decision)
    }
}
