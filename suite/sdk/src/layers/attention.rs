//! Causal attention in parts: queries, keys and values, and the weighted sum of values.
//!
//! Queries may come from any rows; keys and values come from all tokens of the batch or from a cache.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::attention_layer::Attend;
use super::linear::{Linear, Spread, normal};
use super::norm::{Norm, NormShape};
use super::rotation::{Rotary, Rotation};
use crate::backbone::PartCost;
use crate::error::{Error, Result};
use crate::ops::{AttentionPlan, causal_attention, linear};

/// Which projections have a bias, which starts at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttentionBiases {
    /// Bias of queries, added before the rotation.
    pub query: bool,
    /// Bias of keys, added before the rotation.
    pub key: bool,
    /// Bias of values.
    pub value: bool,
    /// Bias of the output projection.
    pub output: bool,
}

impl AttentionBiases {
    /// Queries and keys alone, as in Huginn.
    pub const QUERY_KEY: Self = Self { query: true, key: true, value: false, output: false };
    /// Queries, keys and values, as in Qwen2.
    pub const QUERY_KEY_VALUE: Self = Self { query: true, key: true, value: true, output: false };
    /// All four.
    pub const ALL: Self = Self { query: true, key: true, value: true, output: true };
}

/// Sizes and options of an attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Width of a token state.
    pub d_model: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; each serves as many heads of queries (Ainslie et al. 2023, arXiv 2305.13245).
    pub key_value_heads: usize,
    /// Width of a head; `None` for d_model / heads.
    pub head_dim: Option<usize>,
    /// How positions enter queries and keys.
    pub rotation: Rotation,
    /// Which projections have a bias.
    pub biases: AttentionBiases,
    /// Norm of every head of queries and keys before the rotation.
    pub norm: Option<NormShape>,
    /// Standard deviations of the initial weights.
    pub spread: Spread,
}

impl AttentionShape {
    /// `heads` heads of width `d_model` / `heads`, each with keys and values of its own, without rotation, biases or
    /// norms.
    pub const fn new(d_model: usize, heads: usize) -> Self {
        Self {
            d_model,
            heads,
            key_value_heads: heads,
            head_dim: None,
            rotation: Rotation::None,
            biases: AttentionBiases { query: false, key: false, value: false, output: false },
            norm: None,
            spread: Spread { inputs: None, up: None, outputs: None },
        }
    }

    /// Refuses sizes that do not fit together.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the size.
    pub fn validate(&self) -> Result<()> {
        let Self { d_model, heads, key_value_heads, head_dim, rotation, .. } = *self;
        let is_rotated = rotation != Rotation::None;
        let step = if is_rotated { 2 } else { 1 };
        if heads == 0 || (head_dim.is_none() && !d_model.is_multiple_of(step * heads)) {
            let even = if is_rotated { " of even width" } else { "" };
            let expected = format!("a number that divides d_model {d_model} into heads{even}");
            return Err(Error::invalid("heads", expected, heads));
        }
        if key_value_heads == 0 || !heads.is_multiple_of(key_value_heads) {
            return Err(Error::invalid("key_value_heads", format!("a divisor of {heads} heads"), key_value_heads));
        }
        if self.width() == 0 || !self.width().is_multiple_of(step * heads) {
            let expected = if is_rotated { "an even width of at least 2" } else { "a width of at least 1" };
            return Err(Error::invalid("head_dim", expected, self.width() / heads));
        }
        Ok(())
    }

    /// Width of a head.
    pub fn width(&self) -> usize {
        self.head_width() * self.heads
    }

    /// Numbers in a head.
    pub fn head_width(&self) -> usize {
        self.head_dim.unwrap_or(self.d_model / self.heads.max(1))
    }

    fn key_value_width(&self) -> usize {
        self.head_width() * self.key_value_heads
    }

    /// Analytic forward cost; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let [d_model, width, narrow] = [self.d_model, self.width(), self.key_value_width()].map(|size| size as f64);
        let per_key_value = 4.0 * d_model * narrow;
        PartCost { per_row: 4.0 * d_model * width + per_key_value, per_key: 4.0 * width, per_key_value }
    }
}

/// An attention with weights of its own, named as in Hugging Face's Llama.
pub struct Attention {
    shape: AttentionShape,
    rotary: Rotary,
    query: Linear,
    key_value: Tensor,
    key_bias: Option<Tensor>,
    value_bias: Option<Tensor>,
    query_norm: Option<Norm>,
    key_norm: Option<Norm>,
    output: Linear,
}

impl Attention {
    /// An attention whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: AttentionShape, rotary: &Rotary, variables: VarBuilder) -> Result<Self> {
        shape.validate()?;
        let AttentionShape { d_model, biases, spread, .. } = shape;
        let (width, narrow) = (shape.width(), shape.key_value_width());
        let biased = |layer: Linear, name: &str, wanted: bool| -> Result<Linear> {
            Ok(if wanted { layer.biased(variables.pp(name))? } else { layer })
        };
        let bias = |name: &str, wanted: bool| -> Result<Option<Tensor>> {
            let zeros = || variables.pp(name).get_with_hints(narrow, "bias", Init::Const(0.0));
            Ok(if wanted { Some(zeros()?) } else { None })
        };
        let norm = |name: &str| -> Result<Option<Norm>> {
            let made = |norm| Norm::new(norm, shape.head_width(), variables.pp(name));
            Ok(shape.norm.map(made).transpose()?)
        };
        let query = Linear::spread(d_model, width, spread.inputs, variables.pp("q_proj"))?;
        let output = Linear::spread(width, d_model, spread.outputs, variables.pp("o_proj"))?;
        let init = normal(d_model, spread.inputs);
        Ok(Self {
            shape,
            rotary: rotary.clone(),
            query: biased(query, "q_proj", biases.query)?,
            key_value: variables.get_with_hints((2 * narrow, d_model), "{k_proj,v_proj}.weight", init)?,
            key_bias: bias("k_proj", biases.key)?,
            value_bias: bias("v_proj", biases.value)?,
            query_norm: norm("q_norm")?,
            key_norm: norm("k_norm")?,
            output: biased(output, "o_proj", biases.output)?,
        })
    }

    /// Heads of keys and values.
    pub fn key_value_heads(&self) -> usize {
        self.shape.key_value_heads
    }

    /// Keys and values side by side, `[rows, 2 * key_value_heads * head_dim]`, of rows `x` at these positions.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn keys_values(&self, x: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        let narrow = self.shape.key_value_width();
        let both = linear(x, &self.key_value, None)?;
        let half = |first: usize, bias: &Option<Tensor>| -> candle_core::Result<Tensor> {
            let half = both.narrow(1, first, narrow)?.contiguous()?;
            bias.as_ref().map_or(Ok(half.clone()), |bias| half.broadcast_add(bias))
        };
        let keys = self.normed(&half(0, &self.key_bias)?, self.key_norm.as_ref())?;
        let keys = self.rotary.keys(&keys, positions)?;
        Ok(Tensor::cat(&[&keys, &half(narrow, &self.value_bias)?], 1)?)
    }

    /// The rows `x` at these positions, which are the queries of `plan`, over `keys_values` of all tokens.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn attend(
        &self,
        x: &Tensor,
        positions: &Arc<Vec<u32>>,
        keys_values: &Tensor,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        let heads = self.shape.key_value_heads;
        self.mix(x, positions, &|queries| causal_attention(queries, keys_values, heads, plan))
    }

    /// The rows `x` at these positions over the keys and values that `attend` reads. It is called on groups of query
    /// heads, as many at a time as there are heads of keys and values, until all are done.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn mix(&self, x: &Tensor, positions: &Arc<Vec<u32>>, attend: &Attend) -> Result<Tensor> {
        let queries = self.normed(&self.query.forward(x)?, self.query_norm.as_ref())?;
        let queries = self.rotary.queries(&queries, positions)?;
        let (rows, few, head_dim) = (queries.dim(0)?, self.shape.key_value_heads, self.shape.head_width());
        let each = self.shape.heads / few;
        if each == 1 {
            return Ok(self.output.forward(&attend(&queries)?)?);
        }
        let queries = queries.reshape((rows, few, each, head_dim))?;
        let group = |place: usize| {
            let some = queries.narrow(2, place, 1)?.contiguous()?.reshape((rows, few * head_dim))?;
            attend(&some)?.reshape((rows, few, 1, head_dim))
        };
        let groups = (0..each).map(group).collect::<candle_core::Result<Vec<Tensor>>>()?;
        Ok(self.output.forward(&Tensor::cat(&groups, 2)?.reshape((rows, few * each * head_dim))?)?)
    }

    /// `x` `[rows, heads * head_dim]` with every head normed.
    fn normed(&self, x: &Tensor, norm: Option<&Norm>) -> Result<Tensor> {
        let Some(norm) = norm else { return Ok(x.clone()) };
        let (rows, width) = x.dims2()?;
        let head_dim = self.shape.head_width();
        Ok(norm.forward(&x.reshape((rows * (width / head_dim), head_dim))?)?.reshape((rows, width))?)
    }
}
