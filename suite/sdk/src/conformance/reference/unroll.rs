//! Parts of the loop: a step over all rows, a policy's view of some rows, masks.

use candle_core::{DType, Device, Tensor};

use super::Settings;
use crate::backbone::{Backbone, BeginContext, Start, StepContext};
use crate::conformance::Batch;
use crate::error::{Error, Result};
use crate::key_values::KeyValues;
use crate::layout::{RowSet, TokenLayout};
use crate::policy::{Phase, RowMemory, View};

/// One forward pass of a backbone over a batch.
pub(in crate::conformance) struct Unroll<'a> {
    backbone: &'a dyn Backbone,
    batch: &'a Batch,
    key_values: KeyValues,
    input: Option<Tensor>,
    phase: Phase,
    /// The depth of every row, if the policy decided all of them before the first step.
    pub planned: Option<Vec<u32>>,
    /// How the run is made.
    pub settings: Settings,
    /// All rows of the batch.
    pub all: RowSet,
}

impl<'a> Unroll<'a> {
    /// A pass before its first step, and h(0).
    pub fn begin(
        backbone: &'a dyn Backbone,
        batch: &'a Batch,
        settings: &Settings,
        phase: Phase,
    ) -> Result<(Self, Tensor)> {
        let Settings { max_depth, seed, .. } = *settings;
        let mut context = BeginContext { max_depth, phase, seed, ..BeginContext::new(&batch.layout) };
        let Start { states: start, input } = backbone.begin(&batch.tokens, &mut context)?;
        let key_values = KeyValues::new(settings.halted, backbone.dimensions().core_layers, batch.rows());
        let all = RowSet::all(batch.rows());
        Ok((Self { backbone, batch, key_values, input, phase, planned: None, settings: *settings, all }, start))
    }

    /// Number of tokens.
    pub fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// R(`states`) for every row. `resting` rows take no part: their keys and values follow the settings.
    pub fn apply(&mut self, step: usize, states: &Tensor, resting: &[bool]) -> Result<Tensor> {
        self.key_values.begin_dense(&self.all, resting, states)?;
        let Settings { max_depth, seed, .. } = self.settings;
        let context = StepContext::new(step, &self.batch.layout, &self.all, &mut self.key_values);
        let context = context.with_input(self.input.as_ref());
        let (planned, phase) = (self.planned.as_deref(), self.phase);
        self.backbone.step(states, &mut StepContext { max_depth, planned, phase, seed, ..context })
    }

    /// Makes the first layer project the keys and values of the next step from `states`.
    pub fn offer(&mut self, states: Option<Tensor>) {
        self.key_values.offer(states);
    }

    /// Gives every row a weight as a key: natural logarithms, `[rows, 1]`.
    pub fn weigh(&mut self, log_weights: Tensor) {
        self.key_values.weigh(log_weights);
    }

    /// Shows `rows` of `states` (`[rows, d_model]` for the whole batch) to a policy.
    pub fn look<T>(
        &self,
        step: usize,
        rows: &RowSet,
        states: &Tensor,
        decide: impl FnOnce(&View) -> Result<T>,
    ) -> Result<T> {
        let mine = rows.select(states)?;
        let logits = || self.backbone.coda(states, &self.batch.layout, rows, None);
        let Settings { max_depth, seed, .. } = self.settings;
        let privileged = self.batch.privileged.as_ref();
        decide(&View::new(step, max_depth, &self.batch.layout, rows, &mine, &logits, self.phase, seed, privileged))
    }

    /// Which row is which token.
    pub fn layout(&self) -> &'a TokenLayout {
        &self.batch.layout
    }

    /// Logits of all rows.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        self.backbone.coda(states, &self.batch.layout, &self.all, None)
    }
}

/// Row by row, `yes` where `mask` is set and `no` elsewhere.
pub(super) fn choose(mask: &[bool], yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    let mask: Vec<u8> = mask.iter().map(|set| u8::from(*set)).collect();
    let mask = Tensor::from_vec(mask, (yes.dim(0)?, 1), yes.device())?;
    Ok(mask.broadcast_as(yes.shape())?.where_cond(yes, no)?)
}

/// `whole` with the rows in `rows` replaced by those of `part`.
pub(in crate::conformance) fn replace_rows(whole: &Tensor, rows: &RowSet, part: &Tensor) -> Result<Tensor> {
    let mut taken: Vec<u32> = (0..rows.total() as u32).collect();
    for (place, row) in rows.iter().enumerate() {
        taken[row] = (rows.total() + place) as u32;
    }
    let taken = Tensor::from_vec(taken, rows.total(), whole.device())?;
    Ok(Tensor::cat(&[whole, part], 0)?.index_select(&taken, 0)?)
}

/// Drops the memory of the rows that do not continue.
pub(in crate::conformance) fn keep(memory: &mut RowMemory, goes_on: &[bool], device: &Device) -> Result<()> {
    let kept: Vec<u32> = (0..goes_on.len() as u32).filter(|place| goes_on[*place as usize]).collect();
    if kept.is_empty() {
        *memory = RowMemory::default();
        return Ok(());
    }
    memory.keep(&Tensor::new(kept, device)?, goes_on.len())
}

/// The opposite of a mask.
pub(super) fn not(mask: &[bool]) -> Vec<bool> {
    mask.iter().map(|set| !set).collect()
}

/// Refuses a list that does not have one entry per row.
pub(in crate::conformance) fn sized<T>(what: &str, list: &[T], rows: usize) -> Result<()> {
    if list.len() == rows {
        return Ok(());
    }
    Err(Error::contract("policy", format!("it gives one of the {what} per row, found {} for {rows} rows", list.len())))
}

/// The numbers of a tensor that must have the shape `shape` and hold nothing but finite numbers.
pub(in crate::conformance) fn numbers(what: &str, tensor: &Tensor, shape: &[usize]) -> Result<Vec<f64>> {
    if tensor.dims() != shape {
        let message = format!("the {what} have the shape {shape:?}, found {:?}", tensor.dims());
        return Err(Error::contract("policy", message));
    }
    let values: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(Error::contract("policy", format!("the {what} are finite, found {value}"))),
        None => Ok(values),
    }
}
