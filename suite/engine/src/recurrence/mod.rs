//! The loop that every model runs in. The engine owns it, with the depth counter, the masks and the gates; a policy
//! only decides.
//!
//! `drive` is the loop. Its arguments are a `Pass`, which executes steps (in evaluation, training, decoding or on a
//! recorded trajectory), and a `Judge`, which turns decisions into halts.

mod beliefs;
mod checks;
mod course;
mod depths;
pub(crate) mod drive;
mod evaluation;
mod execution;
pub(crate) mod judge;
mod mixture;
mod noise;
mod outcomes;
pub(crate) mod pass;
mod readouts;
pub(crate) mod recorded;
mod training;
mod trajectory;
mod walk;

pub use beliefs::Beliefs;
pub use evaluation::{Decided, Evaluated, evaluate, evaluate_at};
pub use execution::Execution;
pub use noise::Noise;
pub(crate) use outcomes::outcomes;
pub use outcomes::privileged;
pub(crate) use readouts::Readouts;
pub(crate) use training::progressive_losses;
pub use training::{Unrolled, unroll};
pub use trajectory::calibration_trace;
pub(crate) use trajectory::dense_steps;
pub(crate) use walk::{begin, sees_movement};

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops;
use haltbench_sdk::policy::{Phase, Privileged, RowMemory, View};

use self::pass::Shown;
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// A policy's answer, and the logits that it has read.
pub(crate) struct Answered<T> {
    /// The answer.
    pub answer: T,
    /// The logits of the rows in its view, if it read them.
    pub logits: Option<Tensor>,
}

/// Calls `ask` with a view of some rows. Logits are computed only if the policy reads them.
pub(crate) fn with_view<T>(
    model: &Model,
    batch: &Batch,
    phase: Phase,
    shown: &Shown,
    privileged: Option<&Privileged>,
    ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
) -> Result<Answered<T>> {
    let read_out = || model.backbone.coda(shown.all, &batch.layout, shown.rows, None);
    with_logits(model, &batch.layout, phase, shown, privileged, &read_out, ask)
}

/// [`with_view`] with the caller's own read-out.
pub(crate) fn with_logits<T>(
    model: &Model,
    layout: &TokenLayout,
    phase: Phase,
    shown: &Shown,
    privileged: Option<&Privileged>,
    read_out: &dyn Fn() -> haltbench_sdk::Result<Tensor>,
    ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
) -> Result<Answered<T>> {
    let privileged = if model.declaration.uses_labels.any() { privileged } else { None };
    let Shown { step, rows, states, .. } = *shown;
    let view = View::new(step, model.max_depth, layout, rows, states, read_out, phase, model.seed, privileged);
    let answer = ask(&view).map_err(|error| named(model, error))?;
    Ok(Answered { answer, logits: view.read_logits() })
}

/// Adds the name of the policy to a broken contract; a view does not know it.
pub(crate) fn named(model: &Model, error: haltbench_sdk::Error) -> crate::Error {
    match error {
        haltbench_sdk::Error::Contract { plugin, message } if plugin == "policy" => model.broken(message),
        error => error.into(),
    }
}

/// `states` `[total, ...]` with `rows` replaced by `new` `[rows.len(), ...]`.
pub(crate) fn replace_rows(states: &Tensor, rows: &RowSet, new: &Tensor) -> Result<Tensor> {
    if rows.is_all() {
        return Ok(new.clone());
    }
    Ok(ops::replace_rows(states, rows.shared(), new)?)
}

/// The states of all rows over the steps of an evaluation. When the first row stops, the states are copied, because a
/// policy may still hold them; later steps write the running rows into the copy.
#[derive(Default)]
pub(crate) struct Moving {
    is_copy: bool,
}

impl Moving {
    /// `states`, the result of the last step, with `rows` replaced by `new`. May overwrite earlier results.
    pub fn replace(&mut self, states: &Tensor, rows: &RowSet, new: &Tensor) -> Result<Tensor> {
        if self.is_copy && !rows.is_all() {
            return Ok(ops::update_rows(states, rows.shared(), new)?);
        }
        self.is_copy = !rows.is_all();
        replace_rows(states, rows, new)
    }
}

/// Checks that there are `rows` depths within 1..=D.
pub(crate) fn checked_depths(model: &Model, depths: Vec<u32>, rows: usize) -> Result<Vec<u32>> {
    checks::depths(model, depths, rows)
}

/// Drops from a policy's memory the rows of `before` that are not in `after`.
fn shrink(model: &Model, memory: &mut RowMemory, before: &RowSet, after: &RowSet, like: &Tensor) -> Result<()> {
    if before.len() == after.len() {
        return Ok(());
    }
    let kept = after.places_in(before);
    let kept = Tensor::from_slice(&kept, kept.len(), like.device())?;
    memory.keep(&kept, before.len()).map_err(|error| named(model, error))
}
