//! The loop that every model runs in. The engine owns it: the depth counter, the masks and the gates are here, and a
//! policy is asked only what it is there to decide.

mod beliefs;
mod decision;
mod evaluation;
mod execution;
pub(crate) mod halting;
pub(crate) mod recorded;
mod select;
mod soft;
mod training;
mod unaided;
mod walk;

pub use beliefs::Beliefs;
pub use evaluation::{Evaluated, evaluate, evaluate_at};
pub use execution::Execution;
pub use training::unroll;
pub use walk::{Noise, Unrolled};
pub(crate) use walk::{begin, dense_steps, sees_movement};

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops;
use haltbench_sdk::policy::{Phase, Privileged, RowMemory, View};

use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// Asks the policy something about `rows` after `step` steps. Logits are read out only if it asks for them.
pub(crate) fn with_view<T>(
    model: &Model,
    batch: &Batch,
    at: (usize, Phase),
    (rows, states, all): (&RowSet, &Tensor, &Tensor),
    privileged: Option<&Privileged>,
    ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
) -> Result<(T, bool)> {
    let asked = std::cell::Cell::new(false);
    let logits = || {
        asked.set(true);
        model.backbone.coda(all, &batch.layout, rows, None)
    };
    let answer = with_logits(model, &batch.layout, at, (rows, states), privileged, &logits, ask)?;
    Ok((answer, asked.get()))
}

/// The same with a read-out of the caller's.
pub(crate) fn with_logits<T>(
    model: &Model,
    layout: &TokenLayout,
    (step, phase): (usize, Phase),
    (rows, states): (&RowSet, &Tensor),
    privileged: Option<&Privileged>,
    logits: &dyn Fn() -> haltbench_sdk::Result<Tensor>,
    ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
) -> Result<T> {
    let privileged = if model.declaration.uses_labels { privileged } else { None };
    let view = View::new(step, model.max_depth, layout, rows, states, logits, phase, model.seed, privileged);
    ask(&view).map_err(|error| match error {
        // The view does not know whose it is.
        haltbench_sdk::Error::Contract { plugin, message } if plugin == "policy" => model.broken(message),
        error => error.into(),
    })
}

/// `states` `[total, ...]` with `rows` replaced by `new` `[rows.len(), ...]`.
pub(crate) fn replace_rows(states: &Tensor, rows: &RowSet, new: &Tensor) -> Result<Tensor> {
    if rows.is_all() {
        return Ok(new.clone());
    }
    Ok(ops::replace_rows(states, rows.shared(), new)?)
}

/// The states of all rows over the steps of an evaluation. They are copied when the first row stops, because a policy may
/// still hold what it was shown; from then on the rows that move are written into that copy.
#[derive(Default)]
pub(crate) struct Moving {
    is_copy: bool,
}

impl Moving {
    /// `states`, which the last step gave, with `rows` replaced by `new`. Earlier results may change with it.
    pub fn replace(&mut self, states: &Tensor, rows: &RowSet, new: &Tensor) -> Result<Tensor> {
        if self.is_copy && !rows.is_all() {
            return Ok(ops::update_rows(states, rows.shared(), new)?);
        }
        self.is_copy = !rows.is_all();
        replace_rows(states, rows, new)
    }
}

/// Depths within 1..=D, one for each of `rows` rows.
pub(crate) fn checked_depths(model: &Model, depths: Vec<u32>, rows: usize) -> Result<Vec<u32>> {
    decision::depths(model, depths, rows)
}

/// Drops from a policy's memory the rows of `before` that are not in `after`.
pub(crate) fn shrink(memory: &mut RowMemory, before: &RowSet, after: &RowSet, like: &Tensor) -> Result<()> {
    if before.len() != after.len() {
        let kept: Vec<u32> = (0u32..)
            .zip(before.iter())
            .filter(|(_, row)| after.as_slice().binary_search(&(*row as u32)).is_ok())
            .map(|(place, _)| place)
            .collect();
        memory.keep(&Tensor::from_vec(kept, after.len(), like.device())?)?;
    }
    Ok(())
}
