//! A Transformer layer made of parts: attention, feed-forward, and norms where they are wanted.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::attention::{Attention, AttentionShape};
use super::feed_forward::{Activation, FeedForward, FeedForwardShape};
use super::linear::Spread;
use super::norm::{Norm, NormShape};
use super::positions::positions_of;
use super::rotation::{Rotary, Rotation};
use crate::backbone::{PartCost, StepContext};
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{AttentionPlan, KeyValueEntries};

/// Where the norms of a branch f stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// x + f(n(x)), as in Llama.
    Pre,
    /// n(x + f(x)), as in the first Transformer.
    Post,
    /// n'(x + f(n(x))): a norm of the sum too, as in Huginn.
    Sandwich,
    /// x + n'(f(n(x))): a norm of the branch too, as in Ouro.
    InBranch,
}

/// Sizes and options of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockShape {
    /// Its attention.
    pub attention: AttentionShape,
    /// Its feed-forward layer.
    pub feed_forward: FeedForwardShape,
    /// All its norms.
    pub norm: NormShape,
    /// Where the norms stand.
    pub placement: Placement,
}

impl BlockShape {
    /// A layer of Llama 2 (Touvron et al. 2023, arXiv 2307.09288).
    pub const fn llama2(d_model: usize, d_ff: usize, heads: usize, epsilon: f64, theta: f64) -> Self {
        Self {
            attention: AttentionShape { rotation: Rotation::Halves { theta }, ..AttentionShape::new(d_model, heads) },
            feed_forward: FeedForwardShape::new(d_model, d_ff, Activation::SwiGlu),
            norm: NormShape::Rms { epsilon, weighted: true },
            placement: Placement::Pre,
        }
    }

    /// This shape with the initial standard deviations `spread`.
    #[must_use]
    pub const fn spread(mut self, spread: Spread) -> Self {
        self.attention.spread = spread;
        self.feed_forward.spread = spread;
        self
    }

    /// Analytic forward cost; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let attention = self.attention.cost();
        PartCost { per_row: attention.per_row + self.feed_forward.cost().per_row, ..attention }
    }
}

/// The norms of one branch.
struct Branch {
    before: Option<Norm>,
    after: Option<Norm>,
    placement: Placement,
}

impl Branch {
    /// The norm before the branch is called `name`, the one after it `name_2`, as in Ouro.
    fn new(shape: &BlockShape, name: &str, variables: &VarBuilder) -> Result<Self> {
        let norm = |name: &str, wanted: bool| -> Result<Option<Norm>> {
            let made = || Norm::new(shape.norm, shape.attention.d_model, variables.pp(name));
            Ok(if wanted { Some(made()?) } else { None })
        };
        Ok(Self {
            before: norm(name, shape.placement != Placement::Post)?,
            after: norm(&format!("{name}_2"), shape.placement != Placement::Pre)?,
            placement: shape.placement,
        })
    }

    /// Input of the branch, from `x`.
    fn enter(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.before.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))?)
    }

    /// `x` with the branch's result `y`.
    fn leave(&self, x: &Tensor, y: Tensor) -> Result<Tensor> {
        match (&self.after, self.placement) {
            (Some(norm), Placement::InBranch) => Ok((x + norm.forward(&y)?)?),
            (Some(norm), _) => Ok(norm.forward(&(x + y)?)?),
            (None, _) => Ok((x + y)?),
        }
    }
}

/// One layer.
pub struct Block {
    attention: Attention,
    feed_forward: FeedForward,
    around_attention: Branch,
    around_feed_forward: Branch,
}

impl Block {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: &BlockShape, rotary: &Rotary, variables: VarBuilder) -> Result<Self> {
        Ok(Self {
            attention: Attention::new(shape.attention, rotary, variables.pp("self_attn"))?,
            feed_forward: FeedForward::new(shape.feed_forward, variables.pp("mlp"))?,
            around_attention: Branch::new(shape, "input_layernorm", &variables)?,
            around_feed_forward: Branch::new(shape, "post_attention_layernorm", &variables)?,
        })
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
        let projected = self.keys_values(states, &rows)?;
        let states = queries.select(states)?;
        if let Some(cache) = cache {
            return self.attend_cached(index, &states, &projected, cache, (layout, queries));
        }
        let plan = AttentionPlan::new(layout, queries, None);
        self.attend(&states, &projected, (layout, queries), &plan)
    }

    /// The layer as number `index` of a recurrent core, over the rows that run. It always keeps what its backward pass
    /// needs; [`recompute`](StepContext::recompute) has no effect.
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
        let at = (&**context.layout, context.rows);
        let sources = context.key_values.sources(index, states)?;
        let projected = self.keys_values(&sources.states, &positions_of(context.layout, &sources.rows))?;
        if let Some(cache) = context.key_values.cache() {
            return self.attend_cached(index, states, &projected, cache, at);
        }
        let keys_values = context.key_values.commit(index, projected)?;
        self.attend(states, &keys_values, at, plan)
    }

    fn keys_values(&self, states: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
        self.attention.keys_values(&self.around_attention.enter(states)?, positions)
    }

    fn attend(
        &self,
        states: &Tensor,
        keys_values: &Tensor,
        (layout, rows): (&TokenLayout, &RowSet),
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        if rows.is_empty() {
            return Ok(states.clone());
        }
        let positions = positions_of(layout, rows.as_slice());
        let attended = self.attention.attend(&self.around_attention.enter(states)?, &positions, keys_values, plan)?;
        self.fed_forward(&self.around_attention.leave(states, attended)?)
    }

    /// Stores the `projected` keys and values in the cache and attends to the cached entries that the rows see.
    fn attend_cached(
        &self,
        index: usize,
        states: &Tensor,
        projected: &Tensor,
        cache: &mut KeyValueCache,
        (layout, rows): (&TokenLayout, &RowSet),
    ) -> Result<Tensor> {
        let heads = self.attention.key_value_heads();
        let entries = || Ok(KeyValueEntries::new(heads, projected.dim(1)? / 2, projected.dtype(), projected.device())?);
        cache.store(index, entries, projected)?;
        if rows.is_empty() {
            return Ok(states.clone());
        }
        let (entries, seen): (&KeyValueEntries, _) = (cache.entries(index)?, cache.seen(layout, rows)?);
        let positions = positions_of(layout, rows.as_slice());
        let entered = self.around_attention.enter(states)?;
        let attended = self.attention.attend_cached(&entered, &positions, entries, &seen)?;
        self.fed_forward(&self.around_attention.leave(states, attended)?)
    }

    fn fed_forward(&self, states: &Tensor) -> Result<Tensor> {
        let result = self.feed_forward.forward(&self.around_feed_forward.enter(states)?)?;
        self.around_feed_forward.leave(states, result)
    }
}
