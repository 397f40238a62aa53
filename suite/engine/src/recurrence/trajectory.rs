//! Passes in which no token halts, with a callback after every step.

use std::sync::Arc;

use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::{D, Device, Tensor};
use haltbench_sdk::layout::TokenLayout;
use haltbench_sdk::policy::{CalibrationToken, Decision, Phase, Privileged, RowMemory, View};

use super::begin;
use super::drive::{Outcome, drive};
use super::evaluation::{Decided, Evaluation};
use super::execution::Execution;
use super::judge::{Drawn, Judge};
use super::noise::Noise;
use super::pass::{Pass, Shown, Step};
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// An evaluation that passes the states of all rows to `each` after every step.
struct Watched<'a, F> {
    inner: Evaluation<'a>,
    each: F,
}

impl<'a, F: FnMut(usize, &Tensor) -> Result<()>> Pass<'a> for Watched<'a, F> {
    fn model(&self) -> &'a Model {
        self.inner.model()
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        self.inner.layout()
    }

    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let states = self.inner.step(step, states)?;
        (self.each)(step.number, &states)?;
        Ok(states)
    }

    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T> {
        self.inner.show(shown, ask)
    }

    fn ask(&mut self, shown: &Shown, memory: &mut RowMemory) -> Result<Decision> {
        self.inner.ask(shown, memory)
    }
}

/// Passes to `each` the states of all rows after 0, 1, ..., D steps of a pass without halting.
pub(crate) fn dense_steps(
    model: &Model,
    batch: &Batch,
    mut each: impl FnMut(usize, &Tensor) -> Result<()>,
) -> Result<()> {
    let Start { states: first, input } = begin(model, batch, Phase::Evaluation)?;
    each(0, &first)?;
    let inner = Evaluation::new(model, batch, Execution::Compacted, None, input);
    let depths = vec![model.max_depth as u32; batch.rows()];
    drive(&mut Watched { inner, each }, Judge::Given { depths, asks: false }, first)?;
    Ok(())
}

/// The answer tokens of `batch` after each of D steps, with the policy's scores; `first` is the index of the batch's
/// first sequence.
///
/// # Errors
/// If a pass fails or the policy breaks its contract.
pub fn calibration_trace(
    model: &Model,
    batch: &Batch,
    first: usize,
    privileged: Option<&Privileged>,
) -> Result<Vec<CalibrationToken>> {
    let Start { states, input } = begin(model, batch, Phase::Evaluation)?;
    let mut predictions: Vec<Vec<u32>> = Vec::with_capacity(model.max_depth);
    let each = |_: usize, states: &Tensor| {
        let logits = model.backbone.coda(states, &batch.layout, &batch.readout, None)?;
        predictions.push(logits.argmax(D::Minus1)?.to_device(&Device::Cpu)?.to_vec1()?);
        Ok(())
    };
    let inner = Evaluation::new(model, batch, Execution::Compacted, privileged, input);
    let judge = Judge::Drawn(Drawn::new(&Noise::Seeded(0), batch.rows(), false));
    let outcome: Outcome = drive(&mut Watched { inner, each }, judge, states)?;
    let decided = Decided::new(&outcome, batch.rows(), model.max_depth)?;
    let token = |(place, (row, target)): (usize, (usize, &u32))| CalibrationToken {
        sequence: first + batch.layout.sequence(row),
        position: batch.layout.position(row),
        scores: decided.scores[row][1..].to_vec(),
        predictions: predictions.iter().map(|step| step[place]).collect(),
        target: *target,
    };
    Ok(batch.readout.iter().zip(batch.targets.iter()).enumerate().map(token).collect())
}
