//! A Llama-2 layer in two operations: keys and values of some rows, and everything else for the rows that attend.
//!
//! Each keeps only what its backward pass needs and computes cheap things again; the gradients of the weights are summed
//! in place over all uses of the layer in one graph.

mod attend;
mod cached;
mod keys_values;
mod packed;
mod sums;

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Tensor};

use self::packed::Packed;
use self::sums::{Collect, Sums};
use super::{AttentionPlan, KeyValueEntries, RopeTable, cpu};

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

/// Place of each weight among the sums of gradients.
const INPUT_NORM: usize = 0;
const QUERY_KEY_VALUE: usize = 1;
const OUTPUT: usize = 2;
const FEED_FORWARD_NORM: usize = 3;
const GATE_UP: usize = 4;
const DOWN: usize = 5;

/// A layer within one graph: however often it is applied, its weights receive their gradients once.
#[derive(Clone)]
pub struct LayerPass {
    layer: Arc<Layer>,
    /// Depends on all weights: every use takes it as an operand, so that in the backward pass the weights come last.
    token: Tensor,
}

struct Layer {
    weights: LayerWeights,
    heads: usize,
    epsilon: f64,
    rope: Arc<RopeTable>,
    sums: Arc<Sums>,
    /// The weights laid out for decoding, made on first use: a pass that is used for it sees one set of weights.
    packed: OnceLock<Packed>,
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
        let sums = Arc::new(Sums::default());
        let token = if cpu::fused(&weights.down) {
            let collect = |first: usize, a: &Tensor, b: &Tensor, c: &Tensor| {
                a.contiguous()?.apply_op3(&b.contiguous()?, &c.contiguous()?, Collect { sums: sums.clone(), first })
            };
            let attention = collect(INPUT_NORM, input_norm, query_key_value, output)?;
            (attention + collect(FEED_FORWARD_NORM, feed_forward_norm, gate_up, &weights.down)?)?
        } else {
            weights.down.zeros_like()?
        };
        let (weights, rope, packed) = (weights.clone(), rope.clone(), OnceLock::new());
        let layer = Layer { weights, heads, epsilon, rope, sums, packed, d_model, d_ff };
        Ok(Self { layer: Arc::new(layer), token })
    }

    /// Keys and values side by side, `[rows, 2 * d_model]`, of the states `[rows, d_model]` at `positions`.
    ///
    /// `known` holds earlier keys and values that are still right in all rows but those named: their values are copied.
    /// Gradients are as though all had been computed.
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
    /// `differentiated` names the places of the rows whose results receive a gradient other than zero; nothing is kept
    /// for the others. `None` stands for all.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn attend(
        &self,
        states: &Tensor,
        keys_values: &Tensor,
        positions: &Arc<Vec<u32>>,
        plan: &Arc<AttentionPlan>,
        differentiated: Option<&Arc<[u32]>>,
    ) -> Result<Tensor> {
        attend::apply(self, states, keys_values, positions, plan, differentiated)
    }

    /// [`keys_values`](Self::keys_values) of rows that go into a cache. Carries no gradient.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn keys_values_to_cache(&self, states: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        cached::keys_values(self, states, positions)
    }

    /// [`attend`](Self::attend) over entries of a cache: those that each row sees, its own among them. Carries no gradient.
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
