//! The key-value protocol of a layer with one attention, written once for all composed layers.

use std::sync::Arc;

use candle_core::Tensor;

use super::key_weights::{attend_weighed, weighed};
use super::positions::positions_of;
use crate::backbone::StepContext;
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{AttentionPlan, KeyValueEntries, cached_attention, causal_attention};

/// Maps queries, `[rows, key_value_heads * head_dim]`, to weighted sums of values of the same shape.
pub type Attend<'a> = dyn Fn(&Tensor) -> candle_core::Result<Tensor> + 'a;

/// The rows whose states a layer is given.
pub struct Rows {
    /// Their numbers in the batch.
    pub numbers: Arc<[u32]>,
    /// Their positions in their sequences.
    pub positions: Arc<Vec<u32>>,
    /// Whether each of them is frozen, so that neither the input nor a signal of the step is added to it; `None` if
    /// none is.
    pub frozen: Option<Vec<bool>>,
}

impl Rows {
    /// Rows of `layout`, none of them frozen.
    pub fn new(layout: &TokenLayout, numbers: &Arc<[u32]>) -> Self {
        Self { numbers: numbers.clone(), positions: positions_of(layout, numbers), frozen: None }
    }
}

/// A layer whose rows read each other through one attention.
pub trait AttentionLayer: Send + Sync {
    /// Heads of keys and values.
    fn key_value_heads(&self) -> usize;

    /// Whether a row sees only tokens at or before its position. A layer that is not causal has no cache.
    fn is_causal(&self) -> bool {
        true
    }

    /// Keys and values side by side, `[rows, 2 * key_value_heads * head_dim]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor>;

    /// New states of the rows, `[rows, d_model]`; `attend` reads the keys and values that the rows see.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor>;

    /// The queries and keys of a batch: `queries` over the `visible` tokens that this layer may see.
    fn plan(&self, layout: &TokenLayout, queries: &RowSet, visible: Option<&Arc<Vec<bool>>>) -> Arc<AttentionPlan> {
        if self.is_causal() {
            AttentionPlan::new(layout, queries, visible)
        } else {
            AttentionPlan::whole(layout, queries, visible)
        }
    }
}

/// Where a layer stands in a recurrent core.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Its number in the core: the memory of keys and values has a slot for each number.
    pub index: usize,
    /// Layers of a step, if steps have weights of their own; 0 if all steps share theirs.
    pub own: usize,
    /// The layers at this place in the steps after this one, up to D, if steps have weights of their own. While
    /// decoding, a halted token is projected for all of them at once.
    pub later: &'a [&'a dyn AttentionLayer],
}

impl Place<'_> {
    /// A place in a core whose steps share their weights.
    pub const fn shared(index: usize) -> Self {
        Self { index, own: 0, later: &[] }
    }
}

/// `layer` as number `index` of a prelude or coda, over all rows, read out for the rows in `queries`: `[rows, d_model]` to
/// `[queries, d_model]`. With a `cache`, the rows are the new tokens.
///
/// # Errors
/// If a tensor operation fails.
pub fn forward_layer(
    layer: &dyn AttentionLayer,
    index: usize,
    states: &Tensor,
    layout: &TokenLayout,
    queries: &RowSet,
    cache: Option<&mut KeyValueCache>,
) -> Result<Tensor> {
    let projected = layer.keys_values(states, &Rows::new(layout, RowSet::all(layout.rows()).shared()))?;
    let states = queries.select(states)?;
    if let Some(cache) = cache {
        store(layer, index, &projected, cache)?;
        return attend_cached(layer, index, &states, cache, (layout, queries), Keys::Plain);
    }
    attend(layer, &states, &projected, (layout, queries), &layer.plan(layout, queries, None), Keys::Plain)
}

/// `layer` at a place of a recurrent core, over the rows that run. It always keeps what its backward pass needs;
/// [`recompute`](StepContext::recompute) has no effect.
///
/// # Errors
/// If a tensor operation fails.
pub fn step_layer(
    layer: &dyn AttentionLayer,
    place: Place,
    states: &Tensor,
    context: &mut StepContext,
    plan: &Arc<AttentionPlan>,
) -> Result<Tensor> {
    let (layout, rows) = (context.layout, context.rows);
    let sources = context.key_values.sources(place.index, states)?;
    let from = Rows { frozen: context.key_values.frozen(), ..Rows::new(layout, &sources.rows) };
    let weights = context.key_values.log_weights_of(&sources.rows)?;
    let projected = project(layer, &sources.states, &from, weights.as_ref())?;
    let keys = if weights.is_some() { Keys::Weighed } else { Keys::Plain };
    let slot = place.index + place.own * (context.step - 1);
    let Some(cache) = context.key_values.cache() else {
        let keys_values = context.key_values.commit(place.index, projected)?;
        return attend(layer, states, &keys_values, (layout, rows), plan, keys);
    };
    store(layer, slot, &projected, cache)?;
    for (number, later) in place.later.iter().enumerate() {
        // A token that runs offers the keys and values of its own last step, a frozen one those of every later step.
        let (running, total) = (rows.len(), sources.rows.len());
        let mut parts = vec![projected.narrow(0, 0, running)?];
        if total > running {
            let frozen: Arc<[u32]> = sources.rows[running..].into();
            let from = Rows { frozen: Some(vec![true; total - running]), ..Rows::new(layout, &frozen) };
            let of_frozen = |x: &Tensor| x.narrow(0, running, total - running)?.contiguous();
            let weights = weights.as_ref().map(of_frozen).transpose()?;
            parts.push(project(*later, &of_frozen(&sources.states)?, &from, weights.as_ref())?);
        }
        let parts: Vec<Tensor> = parts.into_iter().filter(|part| part.elem_count() > 0).collect();
        if !parts.is_empty() {
            store(*later, slot + place.own * (number + 1), &Tensor::cat(&parts, 0)?, cache)?;
        }
    }
    attend_cached(layer, slot, states, cache, (layout, rows), keys)
}

/// Whether keys have weights.
#[derive(Clone, Copy)]
enum Keys {
    Plain,
    Weighed,
}

impl Keys {
    fn attend(
        self,
        queries: &Tensor,
        heads: usize,
        over: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Tensor> {
        match self {
            Self::Plain => over(queries),
            Self::Weighed => attend_weighed(queries, heads, over),
        }
    }
}

/// Keys and values of rows of the core; with `log_weights`, `[rows, 1]`, the keys have weights.
fn project(layer: &dyn AttentionLayer, states: &Tensor, rows: &Rows, log_weights: Option<&Tensor>) -> Result<Tensor> {
    let projected = layer.keys_values(states, rows)?;
    match log_weights {
        Some(weights) => Ok(weighed(&projected, weights, layer.key_value_heads())?),
        None => Ok(projected),
    }
}

fn store(layer: &dyn AttentionLayer, slot: usize, projected: &Tensor, cache: &mut KeyValueCache) -> Result<()> {
    let (heads, width) = (layer.key_value_heads(), projected.dim(1)? / 2);
    cache.store(
        slot,
        || Ok(KeyValueEntries::new(heads, width, projected.dtype(), projected.device())?),
        &projected.contiguous()?,
    )
}

fn attend(
    layer: &dyn AttentionLayer,
    states: &Tensor,
    keys_values: &Tensor,
    (layout, rows): (&TokenLayout, &RowSet),
    plan: &Arc<AttentionPlan>,
    keys: Keys,
) -> Result<Tensor> {
    if rows.is_empty() {
        return Ok(states.clone());
    }
    let heads = layer.key_value_heads();
    let over = |queries: &Tensor| causal_attention(queries, keys_values, heads, plan);
    let attend = |queries: &Tensor| keys.attend(queries, heads, over);
    layer.apply(states, &Rows::new(layout, rows.shared()), &attend)
}

/// Attends to the cached entries that the rows see.
fn attend_cached(
    layer: &dyn AttentionLayer,
    slot: usize,
    states: &Tensor,
    cache: &KeyValueCache,
    (layout, rows): (&TokenLayout, &RowSet),
    keys: Keys,
) -> Result<Tensor> {
    if rows.is_empty() {
        return Ok(states.clone());
    }
    let (entries, seen): (&KeyValueEntries, _) = (cache.entries(slot)?, cache.seen(layout, rows)?);
    let over = |queries: &Tensor| cached_attention(queries, entries, &seen);
    let attend = |queries: &Tensor| keys.attend(queries, layer.key_value_heads(), over);
    layer.apply(states, &Rows::new(layout, rows.shared()), &attend)
}
