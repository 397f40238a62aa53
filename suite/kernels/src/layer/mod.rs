//! A Llama-2 layer as two operations: keys and values of some rows, and the rest of the layer for the rows that attend.
//!
//! Each keeps only what its backward pass needs and recomputes cheap activations. Gradients of the weights are summed
//! in place over all uses of the layer in one graph.

mod attend;
mod cached;
mod keys_values;
mod packed;
mod part;
mod waiting;

use std::sync::Arc;

use candle_core::{Result, Tensor};

use self::packed::PackedWeights;
use self::waiting::Waiting;
use super::cpu::{self, LEAST, ROWS as PART};
use super::sums::{self, Sums};
use super::{AttentionPlan, KeyValueEntries, RopeTable};

/// The weights of a layer.
#[derive(Debug, Clone)]
pub struct LayerWeights {
    /// RMSNorm before attention, `[d_model]`.
    pub input_norm: Tensor,
    /// Queries, keys and values, one below the other, `[3 * d_model, d_model]`.
    pub query_key_value: Tensor,
    /// Output projection of attention, `[d_model, d_model]`.
    pub output: Tensor,
    /// RMSNorm before the feed-forward part, `[d_model]`.
    pub feed_forward_norm: Tensor,
    /// Gate and up projection, one below the other, `[2 * d_ff, d_model]`.
    pub gate_up: Tensor,
    /// Down projection, `[d_model, d_ff]`.
    pub down: Tensor,
}

impl LayerWeights {
    /// The weights in the order in which their gradients are summed.
    fn in_order(&self) -> [&Tensor; 6] {
        let Self { input_norm, query_key_value, output, feed_forward_norm, gate_up, down } = self;
        [input_norm, query_key_value, output, feed_forward_norm, gate_up, down]
    }
}

/// Options of the backward pass of one use of a layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backward<'a> {
    /// Places of the rows whose results receive a gradient other than zero; the others have no backward pass. `None`
    /// means all.
    pub places: Option<&'a Arc<[u32]>>,
    /// Whether the backward pass recomputes the layer instead of keeping its activations. The numbers are the same.
    pub recompute: bool,
}

/// A layer within one graph: its weights receive their gradients once, even if it is applied several times.
#[derive(Clone)]
pub struct LayerPass {
    layer: Arc<Layer>,
    /// A tensor that depends on all weights. Every use takes it as an operand, so that the backward pass reaches the
    /// weights last.
    token: Tensor,
}

struct Layer {
    weights: LayerWeights,
    heads: usize,
    epsilon: f64,
    rope: Arc<RopeTable>,
    packed: PackedWeights,
    sums: Arc<Sums<6>>,
    waiting: Arc<Waiting>,
    d_model: usize,
    d_ff: usize,
}

impl LayerPass {
    /// Begins a graph.
    ///
    /// # Errors
    /// If the weights' shapes do not fit together.
    pub fn new(weights: &LayerWeights, heads: usize, epsilon: f64, rope: &Arc<RopeTable>) -> Result<Self> {
        let (d_model, d_ff) = weights.down.dims2()?;
        let LayerWeights { input_norm, query_key_value, output, feed_forward_norm, gate_up, .. } = weights;
        for (name, weight, shape) in [
            ("input_norm", input_norm, vec![d_model]),
            ("query_key_value", query_key_value, vec![3 * d_model, d_model]),
            ("output", output, vec![d_model, d_model]),
            ("feed_forward_norm", feed_forward_norm, vec![d_model]),
            ("gate_up", gate_up, vec![2 * d_ff, d_model]),
        ] {
            if weight.dims() != shape {
                candle_core::bail!("layer: {name} has the shape {:?}, expected {shape:?}", weight.dims());
            }
        }
        let (sums, waiting) = (Arc::new(Sums::default()), Arc::new(Waiting::default()));
        let token = if cpu::fused(&weights.down) {
            sums::token(weights.in_order(), &sums, &waiting)?
        } else {
            weights.down.zeros_like()?
        };
        let (weights, rope, packed) = (weights.clone(), rope.clone(), PackedWeights::default());
        let layer = Layer { weights, heads, epsilon, rope, packed, sums, waiting, d_model, d_ff };
        Ok(Self { layer: Arc::new(layer), token })
    }

    /// Keys and values side by side, `[rows, 2 * d_model]`, of the states `[rows, d_model]` at `positions`.
    ///
    /// `known` holds keys and values that this pass computed earlier, and the rows where they are out of date; the
    /// other rows are copied. Gradients are the same as if all rows had been computed.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn keys_values(
        &self,
        states: &Tensor,
        positions: &Arc<Vec<u32>>,
        known: Option<(&Tensor, &Arc<[u32]>)>,
    ) -> Result<Tensor> {
        keys_values::apply(self, states, positions, known)
    }

    /// The layer's result for the rows of `plan`, `[queries, d_model]`, from their states at `positions` and the keys and
    /// values of all tokens, `[rows, 2 * d_model]`.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn attend(
        &self,
        states: &Tensor,
        keys_values: &Tensor,
        positions: &Arc<Vec<u32>>,
        plan: &Arc<AttentionPlan>,
        backward: Backward,
    ) -> Result<Tensor> {
        attend::apply(self, states, keys_values, positions, plan, backward)
    }

    /// [`attend`](Self::attend) over the cache entries that each row sees, including its own. The result has no
    /// gradient.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn attend_cached(
        &self,
        states: &Tensor,
        positions: &Arc<Vec<u32>>,
        entries: &KeyValueEntries,
        seen: &[&[u32]],
    ) -> Result<Tensor> {
        cached::apply(self, states, positions, entries, seen)
    }
}

#[cfg(test)]
mod tests;
