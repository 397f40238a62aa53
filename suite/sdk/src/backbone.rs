//! The contract of a backbone: prelude, recurrent core, coda.
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
    /// Parameters with defaults, ranges and documentation.
    pub parameters: &'static [ParameterSpec],
    /// Builds the backbone; its weights are requested from the context's variables.
    pub build: fn(&BackboneContext) -> Result<Box<dyn Backbone>>,
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

/// What one recurrent step works on.
pub struct StepContext<'a> {
    /// 1-based number of this step.
    pub step: usize,
    /// Which row is which token.
    pub layout: &'a Arc<TokenLayout>,
    /// The rows that this step computes, ascending.
    pub rows: &'a RowSet,
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
    /// Step number `step` on `rows`, all of which are differentiated, if any is, from what the backbone keeps.
    pub fn new(step: usize, layout: &'a Arc<TokenLayout>, rows: &'a RowSet, key_values: &'a mut KeyValues) -> Self {
        Self { step, layout, rows, key_values, differentiated: None, recompute: false }
    }
}

/// A recurrent Transformer in three parts. Any part may be empty.
pub trait Backbone: Send + Sync {
    /// Sizes of this backbone.
    fn dimensions(&self) -> Dimensions;

    /// Embeds the tokens (u32, `[rows]`) and applies the prelude: h(0), `[rows, d_model]`. With a `cache` the tokens are new
    /// ones, and the layers read and extend what it holds of earlier ones.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn prelude(&self, tokens: &Tensor, layout: &Arc<TokenLayout>, cache: Option<&mut KeyValueCache>) -> Result<Tensor>;

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
