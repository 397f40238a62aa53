//! The contract of a backbone: prelude, recurrent core, coda.
//!
//! [`begin`](Backbone::begin) gives h(0) and, of a backbone with input injection, what every step is given again. The
//! engine keeps the latter and shows each step the rows that it computes. A step also knows its number, D, whether it is
//! training, and the seed.
//!
//! The core's [`step`](Backbone::step) works on any subset of rows. One function then serves the dense unroll (all
//! rows), compacted evaluation (the rows that still run) and decoding (the newest tokens): queries, output projection
//! and feed-forward are computed for the rows given, attention looks at the keys and values of all tokens, and
//! [`KeyValues`] says which of those must be projected anew.
//!
//! While decoding, the rows are those of new tokens and a [`KeyValueCache`] holds the keys and values of all earlier
//! ones: prelude and coda receive theirs, the core finds its own inside its `KeyValues`. A layer projects keys and values,
//! [`store`](KeyValueCache::store)s them, and attends to the entries that its rows have
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
    /// Whether a token's states and logits depend only on tokens at or before it. One that is not causal is never decoded.
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
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
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

/// Analytic forward cost of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BackboneCost {
    /// Embedding and prelude, each token once.
    pub prelude: PartCost,
    /// One recurrent step.
    pub step: PartCost,
    /// What the coda computes for all tokens.
    pub coda: PartCost,
    /// What the coda computes for the rows that are read out alone, final norm and head included.
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
    /// What every step is given again, `[rows, d_model]`; `None` for a core that reads states alone.
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
    /// What the prelude's layers know of earlier tokens, while decoding: the rows are then those of new tokens.
    pub cache: Option<&'a mut KeyValueCache>,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Whether this is training or evaluation.
    pub phase: Phase,
    /// The run's seed. Draws are keyed by it, by the sequence's identity and the position, and in training by the training
    /// step; never by the place in a batch.
    pub seed: u64,
}

impl<'a> BeginContext<'a> {
    /// Whole sequences in an evaluation of one step under seed 0; the fields say otherwise.
    pub fn new(layout: &'a Arc<TokenLayout>) -> Self {
        Self { layout, cache: None, max_depth: 1, phase: Phase::Evaluation, seed: 0 }
    }

    /// The same with what is known of earlier tokens.
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
    /// Those of `rows` whose results will receive a gradient other than zero; `None` stands for all. In training the
    /// results of halted tokens are needed for the gradient of their gates alone, so a backbone may leave their backward
    /// pass out.
    pub differentiated: Option<&'a RowSet>,
    /// Whether the backward pass should compute again what a backbone would otherwise keep for it.
    pub recompute: bool,
}

impl<'a> StepContext<'a> {
    /// Step number `step`, the last one of an evaluation under seed 0, on `rows`, without input. All rows are
    /// differentiated, if any is, from what the backbone keeps.
    pub fn new(step: usize, layout: &'a Arc<TokenLayout>, rows: &'a RowSet, key_values: &'a mut KeyValues) -> Self {
        Self {
            step,
            max_depth: step,
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

    /// The same with [`Start::input`] of the rows.
    #[must_use]
    pub fn with_input(self, input: Option<&'a Tensor>) -> Self {
        Self { input, ..self }
    }
}

/// A recurrent Transformer in three parts. Any part may be empty.
pub trait Backbone: Send + Sync {
    /// Sizes of this backbone.
    fn dimensions(&self) -> Dimensions;

    /// Whether a step is the same function of states, input and keys whatever its number, phase and seed. The results of
    /// rows that see nothing move are then not computed again.
    fn is_stationary(&self) -> bool {
        false
    }

    /// Embeds the tokens (u32, `[rows]`) and applies the prelude: h(0) and what every step is given again. With a cache the
    /// tokens are new ones, and the layers read and extend what it holds of earlier ones.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start>;

    /// One application of the core to the states of `context.rows`: `[len, d_model]` to `[len, d_model]`.
    /// A row's result may depend only on tokens at or before its position. While decoding there may be no rows at all: keys
    /// and values of halted tokens are then projected and nothing else.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor>;

    /// Coda, final norm and head over the halted states of all rows `[rows, d_model]`: the logits of the rows in
    /// `readout`, `[readout.len(), vocabulary]`. With a `cache` the rows are those of new tokens, as in the prelude.
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

    /// Analytic cost of every part.
    fn cost(&self) -> BackboneCost;
}
