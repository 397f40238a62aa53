//! A recurrent stack: embedding, prelude, core, coda, final norm and head, with the key-value protocol and the cost.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::block::BlockShape;
use super::cost::coda_cost;
use super::layer::Layer;
use super::linear::Linear;
use super::norm::{Norm, NormShape};
use super::rotation::Rotary;
use crate::backbone::{BackboneCost, BeginContext, Dimensions, StepContext};
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{AttentionPlan, linear};
use crate::parameters::Parameters;

/// Numbers of layers in each part. Prelude and coda may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depths {
    /// Layers before the recurrence.
    pub prelude: usize,
    /// Layers of the recurrent core.
    pub core: usize,
    /// Layers after the recurrence.
    pub coda: usize,
}

impl Depths {
    /// The parameters `prelude_layers`, `core_layers` and `coda_layers`.
    ///
    /// # Errors
    /// If one is not declared.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        let layers = |part: &str| parameters.integer(&format!("{part}_layers"));
        Ok(Self { prelude: layers("prelude")?, core: layers("core")?, coda: layers("coda")? })
    }
}

/// Sizes and options of a stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackShape {
    /// Number of tokens in the vocabulary.
    pub vocabulary: usize,
    /// Numbers of layers.
    pub layers: Depths,
    /// Every layer.
    pub layer: BlockShape,
    /// Norm before the head.
    pub final_norm: Option<NormShape>,
    /// Factor on the embedding's rows.
    pub embedding_scale: f64,
    /// Standard deviation of the embedding's numbers at the start.
    pub embedding_spread: f64,
    /// Whether the head reuses the embedding, without `embedding_scale`.
    pub tied: bool,
}

impl StackShape {
    /// A stack of these layers with a final norm, an embedding of variance 1 / d_model and an untied head.
    pub fn new(vocabulary: usize, layers: Depths, layer: BlockShape) -> Self {
        Self {
            vocabulary,
            layers,
            layer,
            final_norm: Some(layer.norm),
            embedding_scale: 1.0,
            embedding_spread: (layer.attention.d_model as f64).sqrt().recip(),
            tied: false,
        }
    }
}

/// A stack with weights of its own, named as in Hugging Face's Llama inside `prelude.layers.N.`, `core.layers.N.` and
/// `coda.layers.N.`; `embed_tokens.weight`, `norm.weight` and `lm_head.weight` stand outside.
pub struct RecurrentStack {
    shape: StackShape,
    embedding: Tensor,
    prelude: Vec<Layer>,
    core: Vec<Layer>,
    coda: Vec<Layer>,
    norm: Option<Norm>,
    head: Option<Linear>,
}

impl RecurrentStack {
    /// A stack whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: StackShape, variables: &VarBuilder) -> Result<Self> {
        shape.layer.attention.validate()?;
        let (d_model, attention) = (shape.layer.attention.d_model, shape.layer.attention);
        let rotary = Rotary::new(attention.rotation, attention.head_width());
        let stack = |part: &str, count: usize| -> Result<Vec<Layer>> {
            let layers = variables.pp(part).pp("layers");
            (0..count).map(|layer| Layer::new(&shape.layer, &rotary, layers.pp(layer))).collect()
        };
        let normal = Init::Randn { mean: 0.0, stdev: shape.embedding_spread };
        let embedding = variables.pp("embed_tokens").get_with_hints((shape.vocabulary, d_model), "weight", normal)?;
        let head = || Linear::new(d_model, shape.vocabulary, variables.pp("lm_head"));
        Ok(Self {
            shape,
            embedding,
            prelude: stack("prelude", shape.layers.prelude)?,
            core: stack("core", shape.layers.core)?,
            coda: stack("coda", shape.layers.coda)?,
            norm: shape.final_norm.map(|norm| Norm::new(norm, d_model, variables.pp("norm"))).transpose()?,
            head: if shape.tied { None } else { Some(head()?) },
        })
    }

    /// Sizes.
    pub fn dimensions(&self) -> Dimensions {
        Dimensions {
            d_model: self.shape.layer.attention.d_model,
            d_ff: self.shape.layer.feed_forward.d_ff,
            core_layers: self.core.len(),
            vocabulary: self.shape.vocabulary,
        }
    }

    /// Layers in each part.
    pub fn layers(&self) -> Depths {
        self.shape.layers
    }

    /// The embedded tokens (u32, `[rows]`), `[rows, d_model]`.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        let embedded = self.embedding.index_select(tokens, 0)?;
        Ok(if self.shape.embedding_scale == 1.0 { embedded } else { (embedded * self.shape.embedding_scale)? })
    }

    /// The prelude over the states of all rows.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn prelude(&self, states: &Tensor, context: &mut BeginContext) -> Result<Tensor> {
        let all = RowSet::all(context.layout.rows());
        let mut states = states.clone();
        for (index, layer) in self.prelude.iter().enumerate() {
            states = layer.forward(index, &states, context.layout, &all, context.cache.as_deref_mut())?;
        }
        Ok(states)
    }

    /// The core over the rows that run; its first layer reads `states`. If these are not the states passed to the step,
    /// call [`KeyValues::transform`](crate::key_values::KeyValues::transform) first.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let plan = AttentionPlan::new(context.layout, context.rows, context.key_values.visible());
        let mut states = states.clone();
        for (index, layer) in self.core.iter().enumerate() {
            states = layer.step(index, &states, context, &plan)?;
        }
        Ok(states)
    }

    /// Coda, final norm and head over the states of all rows: the logits of the rows in `readout`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn coda(
        &self,
        states: &Tensor,
        layout: &TokenLayout,
        readout: &RowSet,
        mut cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let all = RowSet::all(layout.rows());
        let mut states = states.clone();
        // The last layer computes only the rows that are read out.
        let Some((last, before)) = self.coda.split_last() else {
            return self.read(&readout.select(&states)?);
        };
        for (index, layer) in before.iter().enumerate() {
            states = layer.forward(index, &states, layout, &all, cache.as_deref_mut())?;
        }
        self.read(&last.forward(before.len(), &states, layout, readout, cache)?)
    }

    /// The final norm.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn norm(&self, states: &Tensor) -> Result<Tensor> {
        Ok(self.norm.as_ref().map_or_else(|| Ok(states.clone()), |norm| norm.forward(states))?)
    }

    fn read(&self, states: &Tensor) -> Result<Tensor> {
        let normed = self.norm(states)?;
        Ok(match &self.head {
            Some(head) => head.forward(&normed)?,
            None => linear(&normed, &self.embedding, None)?,
        })
    }

    /// Analytic cost of every part.
    pub fn cost(&self) -> BackboneCost {
        let layer = self.shape.layer.cost();
        let (d_model, vocabulary) = (self.shape.layer.attention.d_model, self.shape.vocabulary);
        let (coda, readout) = coda_cost(layer, self.coda.len(), d_model, vocabulary);
        BackboneCost { prelude: layer.times(self.prelude.len()), step: layer.times(self.core.len()), coda, readout }
    }
}
