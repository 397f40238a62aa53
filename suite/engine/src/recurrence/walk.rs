//! The steps of a training pass: which candidates are computed, and which of them have gradients.

use haltbench_sdk::backbone::{BeginContext, Start, StepContext};
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::{Candidates, EarlierCandidates, gather_rows, update_rows};
use haltbench_sdk::policy::Phase;

use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// State of an unroll between two steps.
pub(super) struct Walk<'a> {
    pub model: &'a Model,
    pub batch: &'a Batch,
    pub all: RowSet,
    pub key_values: KeyValues,
    /// Input of every step, for all rows.
    input: Option<Tensor>,
    phase: Phase,
    pub step: usize,
    last: Option<LastCandidates>,
}

/// The candidates of the last gated step, without gradients.
struct LastCandidates {
    rows: RowSet,
    /// Candidates of `rows`.
    computed: Tensor,
    /// Candidates of all other rows, which no later step changes: `[rows, d_model]`.
    earlier: Option<Tensor>,
    /// The rows that had halted before this step.
    halted: Vec<bool>,
}

impl LastCandidates {
    /// Candidates of all rows except `next`, the rows that the next step computes; `next` is a subset of `rows`. The
    /// shape is that of `states`.
    fn but(&self, next: &RowSet, states: &Tensor) -> Result<Tensor> {
        let earlier = match &self.earlier {
            Some(earlier) => earlier.clone(),
            None => states.zeros_like()?,
        };
        let mut leaves = vec![false; next.total()];
        self.rows.iter().for_each(|row| leaves[row] = true);
        next.iter().for_each(|row| leaves[row] = false);
        let leaving = RowSet::from_mask(&leaves);
        // Earlier steps share this memory, but read other rows of it.
        let last = gather_rows(&self.computed, &leaving.places_in(&self.rows))?;
        Ok(update_rows(&earlier, leaving.shared(), &last)?)
    }
}

impl<'a> Walk<'a> {
    pub fn new(model: &'a Model, batch: &'a Batch, input: Option<Tensor>, phase: Phase) -> Self {
        let layers = model.backbone.dimensions().core_layers;
        let key_values = KeyValues::new(model.halted_keys_values, layers, batch.rows());
        Self { model, batch, all: RowSet::all(batch.rows()), key_values, input, phase, step: 0, last: None }
    }

    /// R(h) of every row. Candidates of halted rows are needed only for the gradients of their gates, so they have no
    /// backward pass. If no state that a row sees has changed since the last step, its last candidate is reused.
    pub fn gated_candidates(
        &mut self,
        states: &Tensor,
        halted: Vec<bool>,
        planned: Option<&[u32]>,
    ) -> Result<Candidates> {
        let running = RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<bool>>());
        // If a step depends on its number, or a row on later rows, candidates cannot be reused.
        let reuses = self.model.backbone.is_stationary() && self.model.backbone_is_causal();
        let (rows, earlier) = match self.last.take().filter(|_| reuses) {
            None => (self.all.clone(), None),
            Some(last) => {
                let moved = sees_movement(&self.batch.layout, &last.halted);
                let earlier = if moved.is_all() { None } else { Some(last.but(&moved, states)?) };
                (moved, earlier)
            }
        };
        let computed = if rows.is_empty() {
            self.step += 1;
            states.narrow(0, 0, 0)?.detach()
        } else {
            self.compute(states, &halted, &rows, Some(&running), planned)?
        };
        self.last =
            Some(LastCandidates { rows: rows.clone(), computed: computed.detach(), earlier: earlier.clone(), halted });
        let earlier = earlier.map(|candidates| EarlierCandidates { computed: rows.shared().clone(), candidates });
        Ok(Candidates { computed, earlier })
    }

    /// R(h) of `rows`; `halted` says for every row of the batch whether it halted before this step.
    pub fn compute(
        &mut self,
        states: &Tensor,
        halted: &[bool],
        rows: &RowSet,
        differentiated: Option<&RowSet>,
        planned: Option<&[u32]>,
    ) -> Result<Tensor> {
        self.step += 1;
        self.key_values.begin_dense(rows, halted, states)?;
        let input = self.input.as_ref().map(|input| rows.select(input)).transpose()?;
        let mut context = StepContext {
            max_depth: self.model.max_depth,
            planned,
            phase: self.phase,
            seed: self.model.seed,
            input: input.as_ref(),
            differentiated,
            recompute: self.model.recompute,
            ..StepContext::new(self.step, &self.batch.layout, rows, &mut self.key_values)
        };
        Ok(self.model.backbone.step(&rows.select(states)?, &mut context)?)
    }
}

/// h(0) of `batch`, and the input of every step.
pub(crate) fn begin(model: &Model, batch: &Batch, phase: Phase) -> Result<Start> {
    let (max_depth, seed) = (model.max_depth, model.seed);
    let mut context = BeginContext { max_depth, phase, seed, ..BeginContext::new(&batch.layout) };
    Ok(model.backbone.begin(&batch.tokens, &mut context)?)
}

/// The rows that see a row, possibly themselves, that had not halted: in each sequence, all rows from the first such
/// row on.
pub(crate) fn sees_movement(layout: &TokenLayout, halted: &[bool]) -> RowSet {
    let mut moved = false;
    let sees: Vec<bool> = (0..layout.rows())
        .map(|row| {
            moved = !halted[row] || (moved && layout.position(row) > 0);
            moved
        })
        .collect();
    RowSet::from_mask(&sees)
}
