//! The smallest backbone that has all parts: one layer of prelude, a core of one or two layers, one layer of coda.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::Init;

use crate::backbone::{
    Backbone, BackboneContext, BackboneCost, BackboneDeclaration, BeginContext, Dimensions, Start, StepContext,
};
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::initialise::Variables;
use crate::layers::{Linear, TransformerLayer, TransformerShape};
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{AttentionPlan, RopeTable, rms_norm};
use crate::parameters::{ParameterSpec, Parameters, Value};
use crate::vocabulary::Vocabulary;

/// Declaration of the miniature. It is not registered: it serves tests alone.
pub static MINIATURE: BackboneDeclaration = BackboneDeclaration {
    summary: "Three or four Llama-2 layers of width 16, for tests.",
    documentation: "One layer of prelude, `core_layers` layers of core, one layer of coda, two heads.",
    reference: "made for the conformance kit",
    parameters: &[
        ParameterSpec::integer("d_model", 16, (4, 64), "width of a token state"),
        ParameterSpec::integer("d_ff", 24, (1, 256), "width of the feed-forward layers"),
        ParameterSpec::integer("core_layers", 1, (1, 2), "layers of the recurrent core"),
    ],
    ..BackboneDeclaration::new("miniature", build)
};

const HEADS: usize = 2;
const EPSILON: f64 = 1e-5;

struct Miniature {
    shape: TransformerShape,
    vocabulary: usize,
    embedding: Tensor,
    prelude: TransformerLayer,
    core: Vec<TransformerLayer>,
    coda: TransformerLayer,
    norm: Tensor,
    head: Linear,
}

/// A miniature with `core_layers` layers in its core and random weights under `seed`, with these weights.
///
/// # Errors
/// If `core_layers` is not 1 or 2.
pub fn miniature(
    vocabulary: usize,
    core_layers: usize,
    seed: u64,
    dtype: DType,
    device: &Device,
) -> Result<(Box<dyn Backbone>, Variables)> {
    let variables = Variables::new(seed, dtype, device);
    let given = BTreeMap::from([("core_layers".to_owned(), Value::Integer(core_layers as i64))]);
    let parameters = Parameters::resolve(MINIATURE.name, MINIATURE.parameters, &given)?;
    let vocabulary = Vocabulary::new(vocabulary);
    let context = BackboneContext { vocabulary, parameters: &parameters, variables: variables.builder() };
    Ok((build(&context)?, variables))
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let shape = TransformerShape {
        d_model: context.parameters.integer("d_model")?,
        d_ff: context.parameters.integer("d_ff")?,
        heads: HEADS,
        rms_norm_epsilon: EPSILON,
        rope_theta: 10_000.0,
    };
    shape.validate()?;
    let rope = Arc::new(RopeTable::new(shape.d_model / HEADS, shape.rope_theta));
    let variables = &context.variables;
    let layer =
        |part: &str, index: usize| TransformerLayer::new(shape, &rope, variables.pp(part).pp("layers").pp(index));
    let unit = Init::Randn { mean: 0.0, stdev: 1.0 };
    let core_layers = context.parameters.integer("core_layers")?;
    Ok(Box::new(Miniature {
        shape,
        vocabulary: context.vocabulary.size,
        embedding: variables.pp("embed_tokens").get_with_hints(
            (context.vocabulary.size, shape.d_model),
            "weight",
            unit,
        )?,
        prelude: layer("prelude", 0)?,
        core: (0..core_layers).map(|index| layer("core", index)).collect::<Result<_>>()?,
        coda: layer("coda", 0)?,
        norm: variables.pp("norm").get_with_hints(shape.d_model, "weight", Init::Const(1.0))?,
        head: Linear::new(shape.d_model, context.vocabulary.size, variables.pp("lm_head"))?,
    }))
}

impl Backbone for Miniature {
    fn dimensions(&self) -> Dimensions {
        let TransformerShape { d_model, d_ff, .. } = self.shape;
        Dimensions { d_model, d_ff, core_layers: self.core.len(), vocabulary: self.vocabulary }
    }

    fn is_stationary(&self) -> bool {
        true
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let embedded = self.embedding.index_select(tokens, 0)?;
        let all = RowSet::all(context.layout.rows());
        Ok(self.prelude.forward(0, &embedded, context.layout, &all, context.cache.as_deref_mut())?.into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let plan = AttentionPlan::new(context.layout, context.rows, context.key_values.visible());
        let mut states = states.clone();
        for (index, layer) in self.core.iter().enumerate() {
            states = layer.step(index, &states, context, &plan)?;
        }
        Ok(states)
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        let states = self.coda.forward(0, states, layout, readout, cache)?;
        Ok(self.head.forward(&rms_norm(&states, &self.norm, EPSILON)?)?)
    }

    fn cost(&self) -> BackboneCost {
        let layer = self.shape.cost();
        let (coda, readout) = self.shape.coda_cost(1, self.vocabulary);
        BackboneCost { prelude: layer, step: layer.times(self.core.len()), coda, readout }
    }
}
