//! A recurrent stack: embedding, prelude, core, coda, final norm and head, with the key-value protocol and the cost.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::attention_layer::{AttentionLayer, Place};
use super::block::BlockShape;
use super::cost::coda_cost;
use super::layer::Layer;
use super::linear::Linear;
use super::norm::{Norm, NormShape};
use super::rotation::Rotary;
use crate::backbone::{BackboneCost, BeginContext, Dimensions, PartCost, StepContext};
use crate::cache::KeyValueCache;
use crate::error::{Error, Result};
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
    /// Whether the head has a bias, which starts at zero.
    pub head_bias: bool,
    /// The number of steps, if each step has layers of its own; `None` if all steps share the core's.
    pub own_steps: Option<usize>,
    /// Whether the final norm is applied after every step too. The head then reads a state without a coda as it is.
    pub normed_steps: bool,
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
            head_bias: false,
            own_steps: None,
            normed_steps: false,
        }
    }
}

/// Which part of a stack a layer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Before the recurrence.
    Prelude,
    /// The recurrent core.
    Core,
    /// After the recurrence.
    Coda,
}

/// A stack with weights of its own, named as in Hugging Face's Llama inside `prelude.layers.N.`, `core.layers.N.` and
/// `coda.layers.N.`; `embed_tokens.weight`, `norm.weight` and `lm_head.weight` stand outside. If each step has layers of
/// its own, those of the first are in `core.steps.0.layers.N.`.
pub struct RecurrentStack {
    shape: StackShape,
    embedding: Tensor,
    prelude: Vec<Layer>,
    /// The layers of the core: one entry that all steps share, or one for each step.
    core: Vec<Vec<Layer>>,
    coda: Vec<Layer>,
    norm: Option<Norm>,
    head: Option<Linear>,
    head_bias: Option<Tensor>,
    layer_cost: PartCost,
}

impl RecurrentStack {
    /// A stack whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: StackShape, variables: &VarBuilder<'static>) -> Result<Self> {
        let attention = shape.layer.attention;
        let rotary = Rotary::new(attention.rotation, attention.head_width());
        Self::of(shape, shape.layer.cost(), variables, |part, variables| match part {
            // The fused kernel keeps what it prepares from the weights for all steps.
            Part::Core if shape.own_steps.is_some() => Layer::composed(&shape.layer, &rotary, variables),
            _ => Layer::new(&shape.layer, &rotary, variables),
        })
    }

    /// A stack of the layers that `make` returns, each of which costs `layer_cost`; all other sizes are those of `shape`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn of(
        shape: StackShape,
        layer_cost: PartCost,
        variables: &VarBuilder<'static>,
        make: impl Fn(Part, VarBuilder<'static>) -> Result<Layer>,
    ) -> Result<Self> {
        shape.layer.attention.validate()?;
        let d_model = shape.layer.attention.d_model;
        let stack = |part: Part, variables: VarBuilder<'static>, count: usize| -> Result<Vec<Layer>> {
            (0..count).map(|layer| make(part, variables.pp("layers").pp(layer))).collect()
        };
        let core = variables.pp("core");
        let core = match shape.own_steps {
            None => vec![stack(Part::Core, core, shape.layers.core)?],
            Some(steps) => (0..steps)
                .map(|step| stack(Part::Core, core.pp("steps").pp(step), shape.layers.core))
                .collect::<Result<Vec<Vec<Layer>>>>()?,
        };
        let normal = Init::Randn { mean: 0.0, stdev: shape.embedding_spread };
        let embedding = variables.pp("embed_tokens").get_with_hints((shape.vocabulary, d_model), "weight", normal)?;
        let head = || Linear::new(d_model, shape.vocabulary, variables.pp("lm_head"));
        let bias = || variables.pp("lm_head").get_with_hints(shape.vocabulary, "bias", Init::Const(0.0));
        Ok(Self {
            shape,
            embedding,
            prelude: stack(Part::Prelude, variables.pp("prelude"), shape.layers.prelude)?,
            core,
            coda: stack(Part::Coda, variables.pp("coda"), shape.layers.coda)?,
            norm: shape.final_norm.map(|norm| Norm::new(norm, d_model, variables.pp("norm"))).transpose()?,
            head: if shape.tied { None } else { Some(head()?) },
            head_bias: if shape.head_bias { Some(bias()?) } else { None },
            layer_cost,
        })
    }

    /// Sizes.
    pub fn dimensions(&self) -> Dimensions {
        Dimensions {
            d_model: self.shape.layer.attention.d_model,
            d_ff: self.shape.layer.feed_forward.d_ff,
            core_layers: self.shape.layers.core,
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

    /// Number of steps, if each step has layers of its own.
    pub fn own_steps(&self) -> Option<usize> {
        self.shape.own_steps
    }

    /// The layers that step `number` applies.
    fn layers_of(&self, number: usize) -> Result<&[Layer]> {
        let place = if self.shape.own_steps.is_some() { number - 1 } else { 0 };
        self.core.get(place).map(Vec::as_slice).ok_or_else(|| {
            Error::invalid("step", format!("at most {}, the steps with layers of their own", self.core.len()), number)
        })
    }

    /// The core over the rows that run; its first layer reads `states`. If these are not the states passed to the step,
    /// call [`KeyValues::transform`](crate::key_values::KeyValues::transform) first.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let visible = context.key_values.visible();
        let plan = match self.shape.layer.causal {
            true => AttentionPlan::new(context.layout, context.rows, visible),
            false => AttentionPlan::whole(context.layout, context.rows, visible),
        };
        let is_cached = context.key_values.cache().is_some();
        let mut states = states.clone();
        for (index, layer) in self.layers_of(context.step)?.iter().enumerate() {
            let later: Vec<&dyn AttentionLayer> = match self.shape.own_steps {
                Some(_) if is_cached => {
                    self.core[context.step..].iter().filter_map(|layers| layers[index].parts()).collect()
                }
                _ => Vec::new(),
            };
            let own = if self.shape.own_steps.is_some() { self.shape.layers.core } else { 0 };
            states = layer.step(Place { index, own, later: &later }, &states, context, &plan)?;
        }
        if self.shape.normed_steps && !context.rows.is_empty() { self.norm(&states) } else { Ok(states) }
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
            let states = readout.select(&states)?;
            return self.head(&if self.shape.normed_steps { states } else { self.norm(&states)? });
        };
        for (index, layer) in before.iter().enumerate() {
            states = layer.forward(index, &states, layout, &all, cache.as_deref_mut())?;
        }
        self.head(&self.norm(&last.forward(before.len(), &states, layout, readout, cache)?)?)
    }

    /// The final norm.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn norm(&self, states: &Tensor) -> Result<Tensor> {
        Ok(self.norm.as_ref().map_or_else(|| Ok(states.clone()), |norm| norm.forward(states))?)
    }

    fn head(&self, states: &Tensor) -> Result<Tensor> {
        let logits = match &self.head {
            Some(head) => head.forward(states)?,
            None => linear(states, &self.embedding, None)?,
        };
        Ok(self.head_bias.as_ref().map_or_else(|| Ok(logits.clone()), |bias| logits.broadcast_add(bias))?)
    }

    /// Analytic cost of every part.
    pub fn cost(&self) -> BackboneCost {
        let layer = self.layer_cost;
        let (d_model, vocabulary) = (self.shape.layer.attention.d_model, self.shape.vocabulary);
        let (coda, readout) = coda_cost(layer, self.coda.len(), d_model, vocabulary);
        BackboneCost {
            prelude: layer.times(self.prelude.len()),
            step: layer.times(self.shape.layers.core),
            coda,
            readout,
        }
    }
}
