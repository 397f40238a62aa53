//! A layer whose norms are scaled, and whose branches are gated, by what the step is told.

use std::sync::Arc;

use haltbench_sdk::candle_nn::{Init, VarBuilder};
use haltbench_sdk::layers::{Attend, Attention, AttentionLayer, BlockShape, FeedForward, Norm, Rotary, Rows};
use haltbench_sdk::ops::linear;
use haltbench_sdk::prelude::*;

/// A layer of the core.
pub struct LoopLayer {
    attention: Attention,
    feed_forward: FeedForward,
    norm: Norm,
    modulation: Tensor,
    modulation_bias: Tensor,
}

impl LoopLayer {
    /// A layer of these sizes; the matrix that reads the condition starts normal with the standard deviation `spread`.
    pub fn new(shape: &BlockShape, spread: f64, variables: &VarBuilder) -> Result<Self> {
        let (attention, d_model) = (shape.attention, shape.attention.d_model);
        let rotary = Rotary::new(attention.rotation, attention.head_width());
        let init = Init::Randn { mean: 0.0, stdev: spread };
        let modulation = variables.pp("modulation");
        Ok(Self {
            attention: Attention::new(attention, &rotary, variables.pp("self_attn"))?,
            feed_forward: FeedForward::new(shape.feed_forward, variables.pp("mlp"))?,
            norm: Norm::new(shape.norm, d_model, variables.pp("norm"))?,
            modulation: modulation.get_with_hints((4 * d_model, d_model), "weight", init)?,
            modulation_bias: modulation.get_with_hints(4 * d_model, "bias", Init::Const(0.0))?,
        })
    }

    /// This layer under some conditions, already through SiLU, `[conditions, d_model]`; `which` says which of them each row
    /// of the batch has.
    pub fn under(&self, conditions: &Tensor, which: &Arc<Vec<u32>>) -> Result<Conditioned<'_>> {
        let all = linear(conditions, &self.modulation, Some(&self.modulation_bias))?;
        let width = all.dim(1)? / 4;
        let part = |place: usize| all.narrow(1, place * width, width);
        Ok(Conditioned {
            layer: self,
            attention_gate: part(0)?,
            feed_forward_gate: part(1)?,
            attention_scale: part(2)?,
            feed_forward_scale: part(3)?,
            which: which.clone(),
        })
    }
}

/// A layer at one step.
pub struct Conditioned<'a> {
    layer: &'a LoopLayer,
    attention_gate: Tensor,
    feed_forward_gate: Tensor,
    attention_scale: Tensor,
    feed_forward_scale: Tensor,
    which: Arc<Vec<u32>>,
}

impl Conditioned<'_> {
    /// What each of `rows` has of `numbers`, which hold a row for each condition; frozen rows have zeros.
    fn of_rows(&self, numbers: &Tensor, rows: &Rows) -> Result<Tensor> {
        let (conditions, width) = numbers.dims2()?;
        if conditions == 1 && rows.frozen.is_none() {
            return Ok(numbers.clone());
        }
        let zeros = Tensor::zeros((1, width), numbers.dtype(), numbers.device())?;
        let is_frozen = |place: usize| rows.frozen.as_ref().is_some_and(|frozen| frozen[place]);
        let index = rows.numbers.iter().enumerate().map(|(place, row)| match is_frozen(place) {
            true => conditions as u32,
            false => self.which[*row as usize],
        });
        let index = Tensor::from_iter(index, numbers.device())?;
        Ok(Tensor::cat(&[numbers, &zeros], 0)?.index_select(&index, 0)?)
    }

    /// norm(x) (1 + scale)
    fn entered(&self, states: &Tensor, scale: &Tensor, rows: &Rows) -> Result<Tensor> {
        let scale = (self.of_rows(scale, rows)? + 1.0)?;
        Ok(self.layer.norm.forward(states)?.broadcast_mul(&scale)?)
    }
}

impl AttentionLayer for Conditioned<'_> {
    fn key_value_heads(&self) -> usize {
        self.layer.attention.key_value_heads()
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.layer.attention.keys_values(&self.entered(states, &self.attention_scale, rows)?, &rows.positions)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        let entered = self.entered(states, &self.attention_scale, rows)?;
        let attended = self.layer.attention.mix(&entered, &rows.positions, attend)?;
        let states = (states + attended.broadcast_mul(&self.of_rows(&self.attention_gate, rows)?)?)?;
        let fed = self.layer.feed_forward.forward(&self.entered(&states, &self.feed_forward_scale, rows)?)?;
        Ok((&states + fed.broadcast_mul(&self.of_rows(&self.feed_forward_gate, rows)?)?)?)
    }
}
