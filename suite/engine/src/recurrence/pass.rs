//! Passes that the loop drives: evaluation, training, decoding or a recorded trajectory.

use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{Combine, Decision, Gate, RowMemory, View};

use super::replace_rows;
use crate::Result;
use crate::model::Model;

/// A step that the loop asks for.
pub(crate) struct Step<'a> {
    /// Number of the step, from 1.
    pub number: usize,
    /// The rows that take it.
    pub takes: &'a RowSet,
    /// Resting rows that a row of `takes` sees and whose present state has not been projected to keys and values.
    pub settled: &'a RowSet,
    /// Whether resting rows may be woken.
    pub wakes: bool,
    /// Gate that combines the step's result with the states of `takes`, in the order of `takes`.
    pub gate: Option<&'a Gate>,
    /// The soft gate of training, `[rows]`. Its gradient needs the candidates of resting rows.
    pub soft: Option<&'a Tensor>,
    /// Tensor that the core's first layer projects keys and values of `takes` from, instead of their states,
    /// `[takes.len(), d_model]`.
    pub keys_values: Option<&'a Tensor>,
    /// Natural logarithms of the weights of all rows as keys, `[rows, 1]`.
    pub log_key_weights: Option<&'a Tensor>,
    /// The depth of every row, if all depths were decided before the first step.
    pub planned: Option<&'a [u32]>,
}

impl Step<'_> {
    /// Whether each row rests.
    pub fn resting(&self) -> Vec<bool> {
        let mut resting = vec![true; self.takes.total()];
        self.takes.iter().for_each(|row| resting[row] = false);
        resting
    }

    /// Tells `key_values` what the step projects keys and values from, instead of the states `[rows, d_model]` of all rows,
    /// and the weights of the keys.
    pub fn offer(&self, states: &Tensor, key_values: &mut KeyValues) -> Result<()> {
        key_values.offer(self.keys_values.map(|offered| replace_rows(states, self.takes, offered)).transpose()?);
        if let Some(weights) = self.log_key_weights {
            key_values.weigh(weights.clone());
        }
        Ok(())
    }

    /// New states of `takes`: the gate combines their states `old` with the step's result `new`, both `[takes.len(),
    /// d_model]`.
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

/// The rows of a policy's view.
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

/// A forward pass that the loop drives.
pub(crate) trait Pass<'m> {
    /// The model.
    fn model(&self) -> &'m Model;

    /// Which row is which token.
    fn layout(&self) -> &Arc<TokenLayout>;

    /// Executes a step and returns the states of all rows.
    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor>;

    /// Called when no row takes another step. `done` steps have been taken.
    fn idle(&mut self, _done: usize, _states: &Tensor) -> Result<()> {
        Ok(())
    }

    /// Calls `ask` with a view of some rows, and charges a read-out of logits if there is one.
    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T>;

    /// Charges a decision about each of `rows`.
    fn charge(&mut self, _rows: &RowSet) {}

    /// Called when the policy has replaced the states of `rows` by `states`.
    fn carry(&mut self, _rows: &RowSet, _states: &Tensor) -> Result<()> {
        Ok(())
    }

    /// The policy's decision about some rows.
    fn ask(&mut self, shown: &Shown, memory: &mut RowMemory) -> Result<Decision> {
        let policy = &self.model().policy;
        let decision = self.show(shown, |view| policy.decide(view, memory))?;
        if decision.is_charged {
            self.charge(shown.rows);
        }
        Ok(decision)
    }
}
