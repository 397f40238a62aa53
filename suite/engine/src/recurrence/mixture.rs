//! Outputs that mix the states of several steps.

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops;
use haltbench_sdk::policy::{Blend, Output};

use super::{checks, replace_rows};
use crate::Result;
use crate::model::Model;

/// Tolerance on the sum of a token's weights.
const TOLERANCE: f64 = 1e-4;

/// The outputs of all rows so far, and the weights of their states.
pub(super) struct Mixture {
    output: Tensor,
    /// Effective weights of the states after 0, 1, ... steps, `[rows]` each.
    columns: Vec<Tensor>,
    /// Whether the weights of a row must sum to one.
    must_sum_to_one: bool,
}

/// States that some rows started the last step from.
pub(super) struct Before {
    /// The rows.
    pub rows: RowSet,
    /// Their states, `[rows.len(), d_model]`.
    pub states: Tensor,
}

impl Mixture {
    /// Zero outputs for the rows of `states`, `[rows, d_model]`.
    pub fn new(states: &Tensor) -> Result<Self> {
        Ok(Self { output: states.zeros_like()?, columns: Vec::new(), must_sum_to_one: true })
    }

    /// Adds the states that `rows` have after `step` steps, and those that they had `before` this step.
    pub fn add(
        &mut self,
        model: &Model,
        step: usize,
        rows: &RowSet,
        output: &Output,
        before: Option<&Before>,
        states: &Tensor,
    ) -> Result<()> {
        if let Some(weight) = &output.before {
            self.add_before(model, step, rows, weight, before)?;
        }
        let weight = spread(model, step, rows, &output.weight, states)?;
        if output.blend == Blend::Interpolation {
            let kept = (weight.neg()? + 1.0)?;
            self.output = self.output.broadcast_mul(&kept)?;
            let kept = kept.squeeze(1)?;
            for column in &mut self.columns {
                *column = (&*column * &kept)?;
            }
        }
        self.must_sum_to_one &= output.blend == Blend::Mixture;
        let part = states.broadcast_mul(&weight)?;
        self.output = (&self.output + part)?;
        self.fill(step)?;
        self.columns.push(weight.squeeze(1)?);
        Ok(())
    }

    /// Adds the states that `rows` started step `step` from.
    fn add_before(
        &mut self,
        model: &Model,
        step: usize,
        rows: &RowSet,
        weight: &Tensor,
        before: Option<&Before>,
    ) -> Result<()> {
        let Some(before) = before.filter(|_| step > 0) else {
            return Err(model.broken("weighs the states before the first step, and there are none"));
        };
        let earlier = ops::gather_rows(&before.states, &rows.places_in(&before.rows))?;
        let states = replace_rows(&self.output.zeros_like()?, rows, &earlier)?;
        let weight = spread(model, step - 1, rows, weight, &states)?;
        self.output = (&self.output + states.broadcast_mul(&weight)?)?;
        self.fill(step)?;
        self.columns[step - 1] = (&self.columns[step - 1] + weight.squeeze(1)?)?;
        Ok(())
    }

    /// Adds columns of zeros for the steps before `step` without weights.
    fn fill(&mut self, step: usize) -> Result<()> {
        while self.columns.len() < step {
            let rows = self.output.dim(0)?;
            self.columns.push(Tensor::zeros(rows, self.output.dtype(), self.output.device())?);
        }
        Ok(())
    }

    /// The outputs `[rows, d_model]` and the weights `[rows, D + 1]`.
    pub fn finish(mut self, model: &Model) -> Result<(Tensor, Tensor)> {
        self.fill(model.max_depth + 1)?;
        let weights = Tensor::stack(&self.columns, 1)?;
        if self.must_sum_to_one {
            let totals = weights.detach().sum(1)?;
            let totals = checks::numbers(model, "sums of weights", &totals, &[weights.dim(0)?])?;
            if let Some((row, total)) = totals.iter().enumerate().find(|(_, total)| (*total - 1.0).abs() > TOLERANCE) {
                return Err(model
                    .broken(format!("the weights of row {row} sum to {total}, not to 1; only blend Sum allows that")));
            }
        }
        Ok((self.output, weights))
    }
}

/// The weights of `rows` after `step` steps over all rows, `[total, 1]`: 0 for the others.
fn spread(model: &Model, step: usize, rows: &RowSet, weight: &Tensor, like: &Tensor) -> Result<Tensor> {
    let values = checks::numbers(model, "weights", weight, &[rows.len()])?;
    if let Some((row, weight)) = rows.iter().zip(values).find(|(_, weight)| *weight < -TOLERANCE) {
        return Err(model.broken(format!("the weight of row {row} after step {step} is negative: {weight}")));
    }
    let nothing = Tensor::zeros((rows.total(), 1), like.dtype(), like.device())?;
    replace_rows(&nothing, rows, &weight.unsqueeze(1)?)
}
