//! The steps of one round of new tokens.

use std::cell::RefCell;
use std::sync::Arc;

use haltbench_sdk::backbone::StepContext;
use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::{Phase, View};

use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::recurrence::pass::{Pass, Shown, Step};
use crate::recurrence::{Moving, Readouts, with_logits};

/// One round: new tokens of every sequence, processed together.
pub(super) struct Round<'a> {
    model: &'a Model,
    layout: Arc<TokenLayout>,
    /// Input of every step, for all rows.
    input: Option<Tensor>,
    key_values: &'a mut KeyValues,
    coda: &'a mut KeyValueCache,
    ledger: &'a mut Ledger,
    /// Rows whose frozen state has been projected.
    frozen: Vec<bool>,
    /// Number of steps after which each row's state was last read out.
    read: Vec<Option<u32>>,
    /// Steps that each row has taken.
    depths: Vec<u32>,
    moving: Moving,
    readouts: Readouts,
}

/// Halted tokens whose frozen state must still be projected, for later tokens to attend to.
pub(super) struct Unsettled {
    layout: Arc<TokenLayout>,
    /// Rows with their depths, ascending.
    rows: Vec<(u32, u32)>,
    states: Tensor,
    /// Natural logarithms of the weights of all rows as keys, `[rows, 1]`, if keys have weights.
    log_key_weights: Option<Tensor>,
}

impl<'a> Round<'a> {
    pub fn new(
        model: &'a Model,
        layout: Arc<TokenLayout>,
        input: Option<Tensor>,
        key_values: &'a mut KeyValues,
        coda: &'a mut KeyValueCache,
        ledger: &'a mut Ledger,
    ) -> Self {
        let rows = layout.rows();
        let (frozen, read, depths) = (vec![false; rows], vec![None; rows], vec![0; rows]);
        Self {
            model,
            layout,
            input,
            key_values,
            coda,
            ledger,
            frozen,
            read,
            depths,
            moving: Moving::default(),
            readouts: Readouts::default(),
        }
    }

    /// Whether the policy has read logits.
    pub fn has_read(&self) -> bool {
        self.read.iter().any(Option::is_some)
    }

    /// Final logits of `rows`, `[rows.len(), vocabulary]`, from `output` `[rows, d_model]`. Reuses logits that the
    /// policy has already read from the same states. If `mixes`, the output is a mixture of states and needs a read-out
    /// of its own.
    pub fn finish(&mut self, output: &Tensor, mixes: bool, rows: &RowSet) -> Result<Tensor> {
        let (model, layout) = (self.model, self.layout.clone());
        let (read, depths) = (&self.read, &self.depths);
        // A state that was read out after its token's last step already has its entry.
        let is_new = |row: usize| mixes || read[row] != Some(depths[row]);
        let first = |row: usize| is_new(row).then(|| depths[row] as usize + 1);
        let has_new = (0..layout.rows()).any(is_new);
        let known = match has_new {
            false => self.readouts.known(model, &layout, depths, rows),
            true => RowSet::none(layout.rows()),
        };
        let coda = RefCell::new(&mut *self.coda);
        let logits = self.readouts.finish(rows, &known, depths, |rows| {
            let mut coda = coda.borrow_mut();
            coda.begin_where(model.max_depth + 1, &layout, first);
            Ok(model.backbone.coda(output, &layout, rows, Some(&mut **coda))?)
        })?;
        self.ledger.answer(model, &self.layout, rows, &known);
        Ok(logits)
    }

    /// `depths` if they are valid.
    pub fn checked(&self, depths: Vec<u32>) -> Result<Vec<u32>> {
        crate::recurrence::checked_depths(self.model, depths, self.layout.rows())
    }

    /// Rows that are still to be projected once all rows have halted.
    pub fn unsettled(self, states: &Tensor, log_key_weights: Option<Tensor>) -> Option<Unsettled> {
        if self.model.halted_keys_values != HaltedKeysValues::FreezeState {
            return None;
        }
        // A token that has taken all D steps already has an entry for every step.
        let most = self.model.max_depth as u32;
        let open = (0..).zip(&self.depths).filter(|(row, depth)| **depth < most && !self.frozen[*row]);
        let rows: Vec<(u32, u32)> = open.map(|(row, depth)| (row as u32, *depth)).collect();
        (!rows.is_empty()).then(|| Unsettled { layout: self.layout, rows, states: states.clone(), log_key_weights })
    }
}

impl<'a> Pass<'a> for Round<'a> {
    fn model(&self) -> &'a Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.layout
    }

    /// Projects a frozen state now only if a token of this round can still see it; the others are projected together
    /// after the round.
    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let takes = step.takes;
        if takes.is_empty() {
            return Ok(states.clone());
        }
        let mut due = Vec::new();
        if self.model.halted_keys_values == HaltedKeysValues::FreezeState {
            // A backbone whose steps have weights of their own projects a frozen state for all later steps at once.
            for row in step.settled.iter().filter(|row| !self.frozen[*row]) {
                due.push((row as u32, step.number as u32 - 1));
            }
            due.iter().for_each(|(row, _)| self.frozen[*row as usize] = true);
        }
        step.offer(states, self.key_values)?;
        self.key_values.begin_cached(step.number, &self.layout, takes, &due, states)?;
        let pairs = match self.key_values.cache() {
            Some(cache) => cache.pairs(&self.layout, takes)?,
            None => 0,
        };
        self.ledger.step(self.model, takes.len(), pairs, projections(self.model, &due));
        let input = self.input.as_ref().map(|input| takes.select(input)).transpose()?;
        let mut context = StepContext {
            max_depth: self.model.max_depth,
            planned: step.planned,
            seed: self.model.seed,
            input: input.as_ref(),
            ..StepContext::new(step.number, &self.layout, takes, self.key_values)
        };
        let new = self.model.backbone.step(&takes.select(states)?, &mut context)?;
        takes.iter().for_each(|row| self.depths[row] = step.number as u32);
        let new = step.joined(|| takes.select(states), new)?;
        self.moving.replace(states, takes, &new)
    }

    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T> {
        let (model, layout) = (self.model, self.layout.clone());
        let (read, depths) = (&self.read, &self.depths);
        let first = |row: usize| (read[row] != Some(depths[row])).then(|| depths[row] as usize + 1);
        let coda = RefCell::new(&mut *self.coda);
        let read_out = || {
            let mut coda = coda.borrow_mut();
            coda.begin_where(shown.step + 1, &layout, first);
            if coda.seen(&layout, shown.rows).is_err() {
                let message =
                    format!("reads logits after {} steps, but did not read them for earlier tokens", shown.step);
                return Err(haltbench_sdk::Error::contract("policy", message));
            }
            let logits = model.backbone.coda(shown.all, &layout, shown.rows, Some(&mut **coda))?;
            if coda.layers() > 1 {
                // In an upper layer, a halted token's keys and values still change with the tokens before it.
                let expected = "at most one layer under a policy that reads logits before a token has halted";
                return Err(haltbench_sdk::Error::invalid("coda of a decoder", expected, coda.layers()));
            }
            Ok(logits)
        };
        let answered = with_logits(model, &layout, Phase::Evaluation, shown, None, &read_out, ask)?;
        if let Some(logits) = answered.logits {
            // Every row now has an entry for its present state.
            self.read = self.depths.iter().copied().map(Some).collect();
            self.ledger.read_out(model, &layout, shown.rows);
            self.readouts.push(shown.step, shown.rows, logits);
        }
        Ok(answered.answer)
    }

    fn charge(&mut self, rows: &RowSet) {
        self.ledger.decide_about(self.model, rows.len());
    }
}

/// How often the keys and values of frozen `rows`, given with their depths, are projected: once, or once for each later
/// step if steps have weights of their own.
fn projections(model: &Model, rows: &[(u32, u32)]) -> usize {
    match model.backbone.own_steps().is_some() {
        true => rows.iter().map(|(_, depth)| model.max_depth - *depth as usize).sum(),
        false => rows.len(),
    }
}

impl Unsettled {
    /// Drops the rows of sequences that are not kept.
    pub fn keep(&mut self, kept: &[bool]) {
        self.rows.retain(|(row, _)| kept[self.layout.sequence(*row as usize)]);
    }

    /// Projects the remaining rows, in a step that computes no row.
    pub fn settle(self, model: &Model, key_values: &mut KeyValues, ledger: &mut Ledger) -> Result<()> {
        let none = RowSet::from_mask(&vec![false; self.layout.rows()]);
        let Some(step) = self.rows.iter().map(|(_, depth)| *depth as usize + 1).min() else { return Ok(()) };
        key_values.offer(None);
        self.log_key_weights.into_iter().for_each(|weights| key_values.weigh(weights));
        key_values.begin_cached(step, &self.layout, &none, &self.rows, &self.states)?;
        ledger.step(model, 0, 0, projections(model, &self.rows));
        let nothing = self.states.narrow(0, 0, 0)?;
        let context = StepContext::new(step, &self.layout, &none, key_values);
        let mut context = StepContext { max_depth: model.max_depth, ..context };
        model.backbone.step(&nothing, &mut context)?;
        Ok(())
    }
}
