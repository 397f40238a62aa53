//! `gated-ut`: tied pre-norm layers whose result is mixed with their input by a gate.

use haltbench_sdk::layers::options::TIED;
use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, Layer, NormShape, Placement, Recurrence,
    RecurrentStack, Rotation, StackShape,
};
use haltbench_sdk::prelude::*;

use crate::layer::GatedLayer;

/// Distance over which products of queries and keys fall, in positions.
const LENGTH: f64 = 512.0;

/// Parameters of both forms.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
    ParameterSpec::integer("d_ff", 1024, (1, 262_144), "width of the feed-forward layers"),
    ParameterSpec::integer("d_gate", 256, (1, 262_144), "hidden width of the gate"),
    ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model into heads of even width"),
    ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
    ParameterSpec::integer("core_layers", 1, (1, 1024), "layers of a step"),
    ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
    ParameterSpec::choice("gate", "mlp", &["mlp", "none"], "what mixes a layer's result with its input"),
    ParameterSpec::choice("positions", "xpos", &["xpos", "rope", "none"], "how positions enter attention"),
    ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
    TIED,
    ParameterSpec::real("layer_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the variance before the root"),
];

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Gated Universal Transformer: one pre-norm layer again and again; a gate keeps part of its input.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding. A layer computes `a = x + attention(n1(x))`, `y = a + mlp(n2(a))`, `g = sigmoid(gate(n2(a)))` and
`g y + (1 - g) x`. Norms are LayerNorm; mlp and gate have two matrices with biases and GELU; attention has none. Positions are xPos:
rotations in interleaved pairs, and factors by which products fall with the distance. `gate` none gives y, the Universal
Transformer that the paper compares with.

`logits = head(norm(h(d*)))`: the published encoder has neither a norm after the last step nor a head; a language model with norms
before its branches needs the norm. Weights carry the names of Hugging Face's Llama; the gate is `gate.up_proj` and `gate.down_proj`.

## Cost

A step costs `core_layers` layers of 8 d_model² + 4 d_model · d_ff + 4 d_model · d_gate operations for each row and 4 d_model for each key
that it sees.

## Published code

JRC1995/InvestigatingRecurrentTransformers. The published task models are bidirectional, with a START and an END token: that is
`gated-ut-bidirectional`. This backbone is their causal variant, in which only the sequence itself is encoded.",
    reference: "Ray Chowdhury and Caragea 2024, arXiv 2402.00976, section 3; xPos: Sun et al. 2022, arXiv 2212.10554",
    parameters: PARAMETERS,
    ..BackboneDeclaration::new("gated-ut", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct GatedUt(RecurrentStack);

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    built(context, true)
}

/// The backbone, whose tokens see only tokens at or before them if it is `causal`.
pub fn built(context: &BackboneContext, causal: bool) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let d_model = parameters.integer("d_model")?;
    let theta = parameters.real("rope_theta")?;
    let rotation = match parameters.text("positions")? {
        "xpos" => Rotation::Decaying { theta, length: LENGTH },
        "rope" => Rotation::Interleaved { theta },
        _ => Rotation::None,
    };
    let biased =
        |width: usize| FeedForwardShape { bias: true, ..FeedForwardShape::new(d_model, width, Activation::Gelu) };
    let layer = BlockShape {
        attention: AttentionShape { rotation, ..AttentionShape::new(d_model, parameters.integer("heads")?) },
        feed_forward: biased(parameters.integer("d_ff")?),
        norm: NormShape::Layer { epsilon: parameters.real("layer_norm_epsilon")? },
        placement: Placement::Pre,
        causal,
    };
    let is_gated = parameters.text("gate")? == "mlp";
    let gate = is_gated.then_some(biased(parameters.integer("d_gate")?));
    let mut cost = layer.cost();
    cost.per_row += gate.map_or(0.0, |gate| gate.cost().per_row);
    let shape = StackShape {
        tied: parameters.flag("tied")?,
        ..StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer)
    };
    let stack = RecurrentStack::of(shape, cost, &context.variables, |_, variables| {
        Ok(Layer::Composed(Box::new(GatedLayer::new(&layer, gate, variables)?)))
    })?;
    Ok(Box::new(GatedUt(stack)))
}

impl Recurrence for GatedUt {
    fn stack(&self) -> &RecurrentStack {
        &self.0
    }
}
