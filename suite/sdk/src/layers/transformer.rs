//! A Llama-2 layer: pre-norm RMSNorm, causal attention with rotary positions, SwiGLU, no biases.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::Linear;
use crate::backbone::PartCost;
use crate::error::{Error, Result};
use crate::key_values::KeyValues;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{AttentionPlan, RopeTable, causal_attention, rms_norm, rope, swiglu};

/// Sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransformerShape {
    /// Width of a token state.
    pub d_model: usize,
    /// Width of the feed-forward layer.
    pub d_ff: usize,
    /// Attention heads.
    pub heads: usize,
    /// Added to the mean square before the root.
    pub rms_norm_epsilon: f64,
    /// Base of the rotary angles.
    pub rope_theta: f64,
}

impl TransformerShape {
    /// Refuses sizes that do not fit together.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `heads` divides `d_model` into heads of even width.
    pub fn validate(&self) -> Result<()> {
        if self.heads == 0 || !self.d_model.is_multiple_of(2 * self.heads) {
            let expected = format!("a number that divides d_model {} into heads of even width", self.d_model);
            return Err(Error::invalid("heads", expected, self.heads));
        }
        Ok(())
    }

    /// Analytic forward cost of one layer; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let (d_model, d_ff) = (self.d_model as f64, self.d_ff as f64);
        PartCost {
            per_row: 8.0 * d_model * d_model + 6.0 * d_model * d_ff,
            per_key: 4.0 * d_model,
            per_key_value: 4.0 * d_model * d_model,
        }
    }
}

/// Positions of some rows, as the rotary embedding wants them.
pub fn positions_of(layout: &TokenLayout, rows: &[u32]) -> Arc<Vec<u32>> {
    Arc::new(rows.iter().map(|row| layout.position(*row as usize) as u32).collect())
}

/// One layer.
pub struct TransformerLayer {
    shape: TransformerShape,
    rope: Arc<RopeTable>,
    input_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_forward_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl TransformerLayer {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If stored weights have other shapes.
    pub fn new(shape: TransformerShape, rope: &Arc<RopeTable>, variables: VarBuilder) -> Result<Self> {
        let TransformerShape { d_model, d_ff, .. } = shape;
        let norm = |name: &str| variables.pp(name).get_with_hints(d_model, "weight", Init::Const(1.0));
        let attention = variables.pp("self_attn");
        let feed_forward = variables.pp("mlp");
        Ok(Self {
            shape,
            rope: rope.clone(),
            input_norm: norm("input_layernorm")?,
            query: Linear::new(d_model, d_model, attention.pp("q_proj"))?,
            key: Linear::new(d_model, d_model, attention.pp("k_proj"))?,
            value: Linear::new(d_model, d_model, attention.pp("v_proj"))?,
            output: Linear::new(d_model, d_model, attention.pp("o_proj"))?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            gate: Linear::new(d_model, d_ff, feed_forward.pp("gate_proj"))?,
            up: Linear::new(d_model, d_ff, feed_forward.pp("up_proj"))?,
            down: Linear::new(d_ff, d_model, feed_forward.pp("down_proj"))?,
        })
    }

    /// The layer over all rows, read out for the rows in `queries`: `[rows, d_model]` to `[queries, d_model]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn forward(&self, states: &Tensor, layout: &TokenLayout, queries: &RowSet) -> Result<Tensor> {
        let rows = RowSet::all(layout.rows());
        let normed = self.norm(states, &self.input_norm)?;
        let positions = positions_of(layout, rows.as_slice());
        let keys = rope(&self.key.forward(&normed)?, &positions, &self.rope)?;
        let values = self.value.forward(&normed)?;
        let (states, normed) = (queries.select(states)?, queries.select(&normed)?);
        let plan = AttentionPlan::new(layout, queries, None);
        self.attend(&states, &normed, &keys, &values, layout, queries, &plan)
    }

    /// The layer as number `index` of a recurrent core, over the rows that run.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(
        &self,
        index: usize,
        states: &Tensor,
        layout: &TokenLayout,
        rows: &RowSet,
        key_values: &mut KeyValues,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        let normed = self.norm(states, &self.input_norm)?;
        let inputs = key_values.inputs(states)?;
        let sources = if inputs.id() == states.id() { normed.clone() } else { self.norm(&inputs, &self.input_norm)? };
        let positions = positions_of(layout, key_values.projected_rows());
        let keys = rope(&self.key.forward(&sources)?, &positions, &self.rope)?;
        let (keys, values) = key_values.commit(index, keys, self.value.forward(&sources)?)?;
        self.attend(states, &normed, &keys, &values, layout, rows, plan)
    }

    #[allow(clippy::too_many_arguments, reason = "the shared second half of forward and step")]
    fn attend(
        &self,
        states: &Tensor,
        normed: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        layout: &TokenLayout,
        queries: &RowSet,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        let positions = positions_of(layout, queries.as_slice());
        let query = rope(&self.query.forward(normed)?, &positions, &self.rope)?;
        let attended = causal_attention(&query, keys, values, self.shape.heads, plan)?;
        let states = (states + self.output.forward(&attended)?)?;
        let normed = self.norm(&states, &self.feed_forward_norm)?;
        let hidden = swiglu(&self.gate.forward(&normed)?, &self.up.forward(&normed)?)?;
        Ok((states + self.down.forward(&hidden)?)?)
    }

    fn norm(&self, states: &Tensor, weight: &Tensor) -> Result<Tensor> {
        Ok(rms_norm(states, weight, self.shape.rms_norm_epsilon)?)
    }
}
