//! A Llama-2 layer: pre-norm RMSNorm, causal attention with rotary positions, SwiGLU, no biases.

use std::sync::{Arc, OnceLock};

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::attention_layer::{Attend, AttentionLayer, Rows};
use super::cost::coda_cost;
use super::positions::positions_of;
use crate::backbone::{PartCost, StepContext};
use crate::cache::KeyValueCache;
use crate::error::{Error, Result};
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{
    AttentionPlan, Backward, KeyValueEntries, LayerPass, LayerWeights, RopeTable, linear, rms_norm, rope, swiglu,
};

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

impl TransformerShape {
    /// Analytic cost of a coda of `layers` layers and a head with `vocabulary` outputs: (for all rows, only for the
    /// rows that are read out). The last layer computes attention and feed-forward only for the rows that are read out.
    pub fn coda_cost(&self, layers: usize, vocabulary: usize) -> (PartCost, PartCost) {
        coda_cost(self.cost(), layers, self.d_model, vocabulary)
    }
}

/// One layer.
pub struct TransformerLayer {
    shape: TransformerShape,
    rope: Arc<RopeTable>,
    weights: LayerWeights,
    constant: OnceLock<LayerPass>,
}

impl TransformerLayer {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If stored weights have other shapes.
    pub fn new(shape: TransformerShape, rope: &Arc<RopeTable>, variables: VarBuilder) -> Result<Self> {
        let TransformerShape { d_model, d_ff, .. } = shape;
        let norm = |name: &str| variables.pp(name).get_with_hints(d_model, "weight", Init::Const(1.0));
        let (attention, feed_forward) = (variables.pp("self_attn"), variables.pp("mlp"));
        let matrix = |variables: &VarBuilder, name: &str, outputs: usize, inputs: usize| {
            let stdev = (inputs.max(1) as f64).sqrt().recip();
            variables.get_with_hints((outputs, inputs), name, Init::Randn { mean: 0.0, stdev })
        };
        let weights = LayerWeights {
            input_norm: norm("input_layernorm")?,
            query_key_value: matrix(&attention, "{q_proj,k_proj,v_proj}.weight", 3 * d_model, d_model)?,
            output: matrix(&attention, "o_proj.weight", d_model, d_model)?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            gate_up: matrix(&feed_forward, "{gate_proj,up_proj}.weight", 2 * d_ff, d_model)?,
            down: matrix(&feed_forward, "down_proj.weight", d_model, d_ff)?,
        };
        Ok(Self { shape, rope: rope.clone(), weights, constant: OnceLock::new() })
    }

    /// The layer as number `index` of a prelude or coda, over all rows, read out for the rows in `queries`: `[rows,
    /// d_model]` to `[queries, d_model]`. With a `cache`, the rows are the new tokens.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn forward(
        &self,
        index: usize,
        states: &Tensor,
        layout: &TokenLayout,
        queries: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let rows = positions_of(layout, RowSet::all(layout.rows()).as_slice());
        if let Some(cache) = cache {
            let pass = cache.kept(index, || self.begin())?;
            let projected = pass.keys_values(states, &rows, None)?;
            return self.attend_cached(index, &queries.select(states)?, &projected, (layout, queries), cache, &pass);
        }
        let pass = self.begin()?;
        let keys_values = pass.keys_values(states, &rows, None)?;
        let plan = AttentionPlan::new(layout, queries, None);
        let positions = positions_of(layout, queries.as_slice());
        Ok(pass.attend(&queries.select(states)?, &keys_values, &positions, &plan, Backward::default())?)
    }

    /// Stores the `projected` keys and values in the cache and attends to the cached entries that the rows `queries`
    /// see.
    fn attend_cached(
        &self,
        index: usize,
        states: &Tensor,
        projected: &Tensor,
        (layout, queries): (&TokenLayout, &RowSet),
        cache: &mut KeyValueCache,
        pass: &LayerPass,
    ) -> Result<Tensor> {
        let TransformerShape { d_model, heads, .. } = self.shape;
        let entries = || Ok(KeyValueEntries::new(heads, d_model, projected.dtype(), projected.device())?);
        cache.store(index, entries, projected)?;
        if queries.is_empty() {
            return Ok(states.clone());
        }
        let (entries, seen): (&KeyValueEntries, _) = (cache.entries(index)?, cache.seen(layout, queries)?);
        Ok(pass.attend_cached(states, &positions_of(layout, queries.as_slice()), entries, &seen)?)
    }

    /// The layer as number `index` of a recurrent core, over the rows that run.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(
        &self,
        index: usize,
        states: &Tensor,
        context: &mut StepContext,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        let (layout, rows) = (context.layout, context.rows);
        let pass = context.key_values.kept(index, || self.begin())?;
        let sources = context.key_values.sources(index, states)?;
        let positions = positions_of(layout, &sources.rows);
        let known = sources.known.as_ref().map(|(known, moved)| (known, moved));
        let projected = pass.keys_values(&sources.states, &positions, known)?;
        if let Some(cache) = context.key_values.cache() {
            return self.attend_cached(index, states, &projected, (layout, rows), cache, &pass);
        }
        let keys_values = context.key_values.commit(index, projected)?;
        let places = context.differentiated.map(|some| some.places_in(rows));
        let backward = Backward { places: places.as_ref(), recompute: context.recompute };
        let positions = positions_of(layout, rows.as_slice());
        Ok(pass.attend(states, &keys_values, &positions, plan, backward)?)
    }

    /// Begins a graph in which the layer may be applied several times. Constant weights need no graph: what is prepared
    /// from them is reused in every pass.
    fn begin(&self) -> Result<LayerPass> {
        if let Some(pass) = self.constant.get() {
            return Ok(pass.clone());
        }
        let pass = LayerPass::new(&self.weights, self.shape.heads, self.shape.rms_norm_epsilon, &self.rope)?;
        if !self.weights.down.track_op() {
            return Ok(self.constant.get_or_init(|| pass).clone());
        }
        Ok(pass)
    }
}

/// The layer in parts, for what the kernel cannot do.
impl AttentionLayer for TransformerLayer {
    fn key_value_heads(&self) -> usize {
        self.shape.heads
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        let (weights, d_model) = (&self.weights, self.shape.d_model);
        let x = rms_norm(states, &weights.input_norm, self.shape.rms_norm_epsilon)?;
        let both = linear(&x, &weights.query_key_value.narrow(0, d_model, 2 * d_model)?, None)?;
        let half = |first: usize| both.narrow(1, first, d_model)?.contiguous();
        Ok(Tensor::cat(&[&rope(&half(0)?, &rows.positions, &self.rope)?, &half(d_model)?], 1)?)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        let TransformerShape { d_model, rms_norm_epsilon: epsilon, .. } = self.shape;
        let weights = &self.weights;
        let x = rms_norm(states, &weights.input_norm, epsilon)?;
        let queries = linear(&x, &weights.query_key_value.narrow(0, 0, d_model)?, None)?;
        let attended = attend(&rope(&queries, &rows.positions, &self.rope)?)?;
        let states = (states + linear(&attended, &weights.output, None)?)?;
        let x = rms_norm(&states, &weights.feed_forward_norm, epsilon)?;
        let inner = swiglu(&linear(&x, &weights.gate_up, None)?)?;
        Ok((states + linear(&inner, &weights.down, None)?)?)
    }
}
