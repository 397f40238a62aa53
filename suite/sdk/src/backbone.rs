//! The contract of a backbone: prelude, recurrent core, coda.
//!
//! [`begin`](Backbone::begin) returns h(0) and, for a backbone with input injection, the input of every step. The
//! engine keeps this input and passes each step the rows that it computes. A step also gets its number, D, the phase
//! (training or evaluation) and the seed.
//!
//! The core's [`step`](Backbone::step) works on any subset of rows. One function then serves the dense unroll (all
//! rows), compacted evaluation (the rows that still run) and decoding (the newest tokens): queries, output projection
//! and feed-forward are computed for the given rows, attention reads the keys and values of all tokens, and
//! [`KeyValues`] says which keys and values must be projected again.
//!
//! While decoding, the rows are the new tokens, and a [`KeyValueCache`] holds the keys and values of all earlier
//! tokens. Prelude and coda receive a cache each; the core's cache is inside its `KeyValues`. A layer projects keys and
//! values, [`store`](KeyValueCache::store)s them, and attends to the entries that its rows have
//! [`seen`](KeyValueCache::seen); [`TransformerLayer`](crate::layers::TransformerLayer) does this.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::key_values::KeyValues;
use crate::layout::{RowSet, TokenLayout};
use crate::parameters::{ParameterSpec, Parameters};
use crate::policy::Phase;
use crate::vocabulary::Vocabulary;

/// Declaration of a backbone, registered with [`register_backbone!`](crate::register_backbone).
#[derive(Debug, Clone, Copy)]
pub struct BackboneDeclaration {
    /// Name in suite files.
    pub name: &'static str,
    /// One line for `haltbench list`.
    pub summary: &'static str,
    /// Markdown for `haltbench explain`.
    pub documentation: &'static str,
    /// Paper and section or equation.
    pub reference: &'static str,
    /// Whether a token's states and logits depend only on tokens at or before it. The engine refuses to decode with a
    /// backbone that is not causal.
    pub causal: bool,
    /// Parameters with defaults, ranges and documentation.
    pub parameters: &'static [ParameterSpec],
    /// Builds the backbone; its weights are requested from the context's variables.
    pub build: fn(&BackboneContext) -> Result<Box<dyn Backbone>>,
}

impl BackboneDeclaration {
    /// A declaration with the usual values: causal, without parameters.
    pub const fn new(name: &'static str, build: fn(&BackboneContext) -> Result<Box<dyn Backbone>>) -> Self {
        Self { name, summary: "", documentation: "", reference: "", causal: true, parameters: &[], build }
    }
}

/// What a backbone is built from.
pub struct BackboneContext<'a> {
    /// The task's tokens.
    pub vocabulary: Vocabulary<'a>,
    /// Resolved parameters.
    pub parameters: &'a Parameters,
    /// Source of weights, named as in Hugging Face's Llama inside `prelude.`, `core.` and `coda.`.
    pub variables: VarBuilder<'static>,
}

/// Sizes the engine and policies need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Width of a token state.
    pub d_model: usize,
    /// Width of the feed-forward layers.
    pub d_ff: usize,
    /// Layers in the recurrent core, each with keys and values of its own.
    pub core_layers: usize,
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
}

/// Analytic forward cost of one part, in floating-point operations; a multiply-add counts as two.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PartCost {
    /// For each row computed.
    pub per_row: f64,
    /// For each (row, visible key) pair.
    pub per_key: f64,
    /// For each row whose keys and values alone are projected again.
    pub per_key_value: f64,
}

/// Operations for one row above which a reported cost is taken for a mistake: sums over any evaluation stay finite.
pub const MOST_FLOPS: f64 = 1e18;

/// Analytic forward cost of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BackboneCost {
    /// Embedding and prelude, each token once.
    pub prelude: PartCost,
    /// One recurrent step.
    pub step: PartCost,
    /// What the coda computes for all tokens.
    pub coda: PartCost,
    /// What the coda computes only for the rows that are read out, final norm and head included.
    pub readout: PartCost,
}

impl PartCost {
    /// The cost of `times` such parts.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        let times = times as f64;
        Self { per_row: times * self.per_row, per_key: times * self.per_key, per_key_value: times * self.per_key_value }
    }
}

/// What the recurrence starts from.
#[derive(Debug, Clone)]
pub struct Start {
    /// h(0) of every row, `[rows, d_model]`.
    pub states: Tensor,
    /// Input of every step, `[rows, d_model]`; `None` for a core that reads states alone.
    pub input: Option<Tensor>,
}

impl From<Tensor> for Start {
    /// h(0) alone: no injection.
    fn from(states: Tensor) -> Self {
        Self { states, input: None }
    }
}

/// What [`Backbone::begin`] works on.
pub struct BeginContext<'a> {
    /// Which row is which token.
    pub layout: &'a Arc<TokenLayout>,
    /// Keys and values of earlier tokens in the prelude's layers; only while decoding, where the rows are the new
    /// tokens.
    pub cache: Option<&'a mut KeyValueCache>,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Whether this is training or evaluation.
    pub phase: Phase,
    /// The run's seed. Key every draw by it, by the id of the sequence and by the position, and in training also by the
    /// training step; never by the place in a batch.
    pub seed: u64,
}

impl<'a> BeginContext<'a> {
    /// Context for whole sequences without a cache, in evaluation, with D = 1 and seed 0. Set the fields for anything
    /// else.
    pub fn new(layout: &'a Arc<TokenLayout>) -> Self {
        Self { layout, cache: None, max_depth: 1, phase: Phase::Evaluation, seed: 0 }
    }

    /// This context with a cache of earlier tokens.
    #[must_use]
    pub fn cached(self, cache: &'a mut KeyValueCache) -> Self {
        Self { cache: Some(cache), ..self }
    }
}

/// What one recurrent step works on.
pub struct StepContext<'a> {
    /// 1-based number of this step.
    pub step: usize,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// The depth of every row of the batch, if all depths were decided before the first step; `None` if rows halt step
    /// by step.
    pub planned: Option<&'a [u32]>,
    /// Whether this is training or evaluation.
    pub phase: Phase,
    /// The run's seed.
    pub seed: u64,
    /// Which row is which token.
    pub layout: &'a Arc<TokenLayout>,
    /// The rows that this step computes, ascending.
    pub rows: &'a RowSet,
    /// [`Start::input`] of these rows, `[rows.len(), d_model]`.
    pub input: Option<&'a Tensor>,
    /// Keys and values of all tokens in every layer of the core.
    pub key_values: &'a mut KeyValues,
    /// The rows among `rows` whose results will receive a gradient other than zero; `None` means all. In training,
    /// results of halted tokens serve only the gradients of their gates, so a backbone may skip their backward pass.
    pub differentiated: Option<&'a RowSet>,
    /// Whether the backward pass should recompute activations instead of keeping them.
    pub recompute: bool,
}

impl<'a> StepContext<'a> {
    /// Context for step number `step` on `rows`: in evaluation, with D = `step`, seed 0, no input, all rows
    /// differentiated and nothing recomputed. Set the fields for anything else.
    pub fn new(step: usize, layout: &'a Arc<TokenLayout>, rows: &'a RowSet, key_values: &'a mut KeyValues) -> Self {
        Self {
            step,
            max_depth: step,
            planned: None,
            phase: Phase::Evaluation,
            seed: 0,
            layout,
            rows,
            input: None,
            key_values,
            differentiated: None,
            recompute: false,
        }
    }

    /// This context with [`Start::input`] of `rows`.
    #[must_use]
    pub fn with_input(self, input: Option<&'a Tensor>) -> Self {
        Self { input, ..self }
    }
}

/// A recurrent Transformer in three parts. Any part may be empty.
pub trait Backbone: Send + Sync {
    /// Sizes of this backbone.
    fn dimensions(&self) -> Dimensions;

    /// Whether a step is the same function of states, input and keys at every step number, phase and seed. The engine
    /// then reuses the result of a row whose visible states have not changed.
    fn is_stationary(&self) -> bool {
        false
    }

    /// The number of steps, if each step has weights of its own; the engine refuses any other D. Every step then projects
    /// the keys and values of a frozen state with its own weights, and a step that is given frozen rows while decoding
    /// projects them for all later steps.
    fn own_steps(&self) -> Option<usize> {
        None
    }

    /// Whether [`begin`](Self::begin) reads the tokens before a row in another way than through cached keys and values, so
    /// that it needs whole sequences. The engine does not decode such a backbone with a cache.
    fn reads_earlier_tokens(&self) -> bool {
        false
    }

    /// Embeds the tokens (u32, `[rows]`) and applies the prelude; returns h(0) and the input of every step. With a
    /// cache, the tokens are new ones: the layers read the cached keys and values of earlier tokens and append their
    /// own.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start>;

    /// One application of the core to the states of `context.rows`: `[len, d_model]` to `[len, d_model]`. A row's
    /// result may depend only on tokens at or before its position. While decoding, `context.rows` may be empty: project
    /// only the keys and values of halted tokens then.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor>;

    /// Coda, final norm and head over the halted states of all rows `[rows, d_model]`: the logits of the rows in
    /// `readout`, `[readout.len(), vocabulary]`. With a `cache`, the rows are the new tokens, as in the prelude.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor>;

    /// A number that training adds to the loss, such as a regulariser of the backbone's own, from what its layers have
    /// [`kept`](KeyValues::kept) in the steps of a training pass. The default is none.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn regulariser(&self, _key_values: &mut KeyValues) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Analytic cost of every part.
    fn cost(&self) -> BackboneCost;
}
