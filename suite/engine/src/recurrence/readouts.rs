//! Logits that a policy has read during a pass, kept so that the final read-out can reuse them.

use std::sync::Arc;

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::{RowSet, TokenLayout};

use crate::Result;
use crate::model::Model;

/// Logits read during a pass.
#[derive(Default)]
pub(crate) struct Readouts(Vec<Readout>);

struct Readout {
    /// Steps taken before the read-out.
    step: usize,
    rows: RowSet,
    logits: Tensor,
}

impl Readouts {
    /// Records the logits of `rows` after `step` steps.
    pub fn push(&mut self, step: usize, rows: &RowSet, logits: Tensor) {
        self.0.push(Readout { step, rows: rows.clone(), logits });
    }

    /// The rows of `wanted` whose final logits are known: the policy read them after the row's `last` step, when all
    /// earlier states that the coda attends to were final too.
    pub fn known(&self, model: &Model, layout: &TokenLayout, last: &[u32], wanted: &RowSet) -> RowSet {
        let cost = model.costs.backbone;
        let sees_others = cost.coda.per_key > 0.0 || cost.readout.per_key > 0.0;
        let mut known = vec![false; layout.rows()];
        for readout in &self.0 {
            let is_final = |row: usize| last[row] as usize <= readout.step;
            // While decoding, a read-out attends to earlier tokens' states after the same number of steps, not to their
            // final states.
            let is_whole = |row: usize| layout.position(layout.start(row)) == 0;
            for row in readout.rows.iter().filter(|row| last[*row] as usize <= readout.step) {
                known[row] = !sees_others || (is_whole(row) && (layout.start(row)..=row).all(is_final));
            }
        }
        let mut both = vec![false; layout.rows()];
        wanted.iter().for_each(|row| both[row] = known[row]);
        RowSet::from_mask(&both)
    }

    /// The final logits of `wanted`, `[wanted.len(), vocabulary]`; `read` computes the rows that are not `known`.
    pub fn finish(
        &self,
        wanted: &RowSet,
        known: &RowSet,
        last: &[u32],
        read: impl Fn(&RowSet) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if known.is_empty() {
            return read(wanted);
        }
        let mut rest = vec![false; wanted.total()];
        wanted.iter().for_each(|row| rest[row] = true);
        known.iter().for_each(|row| rest[row] = false);
        let rest = RowSet::from_mask(&rest);
        let mut logits: Option<Tensor> = None;
        if !rest.is_empty() {
            let new = read(&rest)?;
            let nothing = Tensor::zeros((wanted.len(), new.dim(1)?), new.dtype(), new.device())?;
            logits = Some(haltbench_sdk::ops::replace_rows(&nothing, &rest.places_in(wanted), &new)?);
        }
        let mut is_known = vec![false; wanted.total()];
        known.iter().for_each(|row| is_known[row] = true);
        for readout in &self.0 {
            let mut taken = vec![false; wanted.total()];
            for row in readout.rows.iter().filter(|row| is_known[*row] && last[*row] as usize <= readout.step) {
                taken[row] = true;
            }
            let taken = RowSet::from_mask(&taken);
            if taken.is_empty() {
                continue;
            }
            let part = haltbench_sdk::ops::gather_rows(&readout.logits, &taken.places_in(&readout.rows))?;
            let whole = match logits {
                Some(logits) => logits,
                None => Tensor::zeros((wanted.len(), part.dim(1)?), part.dtype(), part.device())?,
            };
            let places: Arc<[u32]> = taken.places_in(wanted);
            let all = places.len() == wanted.len();
            logits = Some(if all { part } else { haltbench_sdk::ops::replace_rows(&whole, &places, &part)? });
        }
        match logits {
            Some(logits) => Ok(logits),
            None => read(wanted),
        }
    }
}
