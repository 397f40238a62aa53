//! `moeut`: a group of layers of experts, applied again and again.

use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, Layer, NormShape, Placement, Recurrence,
    RecurrentStack, StackShape,
};
use haltbench_sdk::prelude::*;

use crate::layer::{LayerShape, MoeutLayer};

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "MoEUT: a group of layers applied again and again, with experts in feed-forward layers and attention.",
    documentation: "\
## What it computes

A step applies the group of `core_layers` layers. In a layer, `y = LN1(x)` feeds queries, keys and all selections of attention; values
read x itself. Each head has experts for its values and for its output: a row's value is the sum of its `att_k` best value experts, each
times the sigmoid of its selection logit, and likewise for the output. Then `x = x + attention`, and `x = x + feed-forward`, where
`ff_k` experts relu(x U) V read x itself and the selection reads LN2(x). Sigmoids are not normalised over the selected experts. Half of every
head is rotated (rotate-half). `h(0)` is the embedding, `logits = head(LN(h(d*)))` with a bias.

An expert that a row does not select is not computed for it. Layers of a prelude or coda, which the paper lacks, are of the same kind.

## Initial weights

Normal with √(2 / (`init_steps` · `core_layers`)) / √inputs, as published; the published code then scales the rows of the selection
matrices to one length, which this backbone does not.

## The regulariser

The paper subtracts the entropy of the mean selection of every group member, 0.01 times for feed-forward layers and 0.001 times for
attention, from the loss. A backbone of this suite has no loss of its own, so it is left out: nothing keeps experts in use but the task.

## Cost

A layer costs, for each row, 4 d_model · w for queries and keys, w = heads · head_dim, 4 `att_k` · d_model · w for values and outputs, 4 d_model ·
heads · `att_experts` for their selections, 4 `ff_k` · `ff_expert_size` · d_model for experts and 2 d_model · `ff_experts` for their selection; and
4 w for each key that it sees.

## Published code

RobertCsordas/moeut. It scales queries and keys by head_dim^(-1/4) each, which is the usual scale of their product. Its
expert dropout, off by default, is left out.",
    reference: "Csordás et al. 2024, arXiv 2405.16039, section 2; SwitchHead: arXiv 2312.07987; code: RobertCsordas/moeut",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("heads", 4, (1, 1024), "attention heads"),
        ParameterSpec::integer("head_dim", 64, (1, 65_536), "width of a head"),
        ParameterSpec::integer("att_experts", 4, (2, 1024), "experts of each head, for values and for outputs"),
        ParameterSpec::integer("att_k", 2, (1, 1024), "experts of a head that a token selects"),
        ParameterSpec::integer("ff_experts", 16, (2, 4096), "feed-forward experts"),
        ParameterSpec::integer("ff_expert_size", 64, (1, 65_536), "hidden width of a feed-forward expert"),
        ParameterSpec::integer("ff_k", 8, (1, 4096), "feed-forward experts that a token selects"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 2, (1, 1024), "layers of a step, G"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        ParameterSpec::integer("init_steps", 8, (1, 4096), "steps that the scale of the initial weights assumes"),
        ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
        ParameterSpec::real("layer_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the variance before the root"),
    ],
    ..BackboneDeclaration::new("moeut", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Moeut(RecurrentStack);

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let size = |name: &str| parameters.integer(name);
    let selected = |name: &str, of: &str| -> Result<usize> {
        let (selected, experts) = (size(name)?, size(of)?);
        if selected > experts {
            return Err(Error::invalid(name, format!("at most {of} = {experts}"), selected));
        }
        Ok(selected)
    };
    let layers = Depths::from_parameters(parameters)?;
    let layer = LayerShape {
        d_model: size("d_model")?,
        heads: size("heads")?,
        head_dim: size("head_dim")?,
        attention_experts: size("att_experts")?,
        attention_selected: selected("att_k", "att_experts")?,
        experts: size("ff_experts")?,
        expert_width: size("ff_expert_size")?,
        selected: selected("ff_k", "ff_experts")?,
        epsilon: parameters.real("layer_norm_epsilon")?,
        rope_theta: parameters.real("rope_theta")?,
        initial_scale: (2.0 / (size("init_steps")? * layers.core) as f64).sqrt(),
    };
    // The stack reads only sizes and the final norm from this shape.
    let shape = BlockShape {
        attention: AttentionShape { head_dim: Some(layer.head_dim), ..AttentionShape::new(layer.d_model, layer.heads) },
        feed_forward: FeedForwardShape::new(layer.d_model, layer.experts * layer.expert_width, Activation::Relu),
        norm: NormShape::Layer { epsilon: layer.epsilon },
        placement: Placement::Pre,
        causal: true,
    };
    let shape = StackShape { head_bias: true, ..StackShape::new(context.vocabulary, layers, shape) };
    let stack = RecurrentStack::of(shape, layer.cost(), &context.variables, |_, variables| {
        Ok(Layer::Composed(Box::new(MoeutLayer::new(layer, variables)?)))
    })?;
    Ok(Box::new(Moeut(stack)))
}

impl Recurrence for Moeut {
    fn stack(&self) -> &RecurrentStack {
        &self.0
    }
}
