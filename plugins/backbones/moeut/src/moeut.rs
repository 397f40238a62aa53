//! `moeut`: a group of layers of experts, applied again and again.

use std::sync::Arc;

use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, Layer, NormShape, Place, Placement,
    RecurrentStack, StackShape, step_layer,
};
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;

use crate::layer::{LayerShape, MoeutLayer, Noted};
use crate::notes::{Kind, Notes};

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

Training adds, for every layer of the group, minus the entropy of the mean selection (softmax of the selection logits) over the steps and
tokens of a sequence: `ff_entropy` times for feed-forward experts, `att_entropy` times for value and for output experts, averaged over
heads, and over the sequences of the batch. It keeps all experts in use. Its mean is over all tokens whose selection a step computes.

## Cost

A layer costs, for each row, 4 d_model · w for queries and keys, w = heads · head_dim, 4 `att_k` · d_model · w for values and outputs, 4 d_model ·
heads · `att_experts` for their selections, 4 `ff_k` · d_ff / `ff_experts` · d_model for experts and 2 d_model · `ff_experts` for their selection; and
4 w for each key that it sees.

## Published code

RobertCsordas/moeut. It scales queries and keys by head_dim^(-1/4) each, which is the usual scale of their product. Its
expert dropout, off by default, is left out.",
    reference: "Csordás et al. 2024, arXiv 2405.16039, section 2; SwitchHead: arXiv 2312.07987; code: RobertCsordas/moeut",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 1024, (2, 262_144), "width of all feed-forward experts together"),
        ParameterSpec::integer("heads", 4, (1, 1024), "attention heads; must divide d_model unless `head_dim` is given"),
        ParameterSpec::integer("head_dim", 0, (0, 65_536), "width of a head; 0 means d_model / heads"),
        ParameterSpec::integer("att_experts", 4, (2, 1024), "experts of each head, for values and for outputs"),
        ParameterSpec::integer("att_k", 2, (1, 1024), "experts of a head that a token selects"),
        ParameterSpec::integer("ff_experts", 8, (2, 4096), "feed-forward experts; must divide d_ff"),
        ParameterSpec::integer("ff_k", 4, (1, 4096), "feed-forward experts that a token selects"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 2, (1, 1024), "layers of a step, G"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        ParameterSpec::real("ff_entropy", 0.01, (0.0, 100.0), "weight of the entropy of feed-forward selections"),
        ParameterSpec::real("att_entropy", 0.001, (0.0, 100.0), "weight of the entropy of selections of attention"),
        ParameterSpec::integer("init_steps", 8, (1, 4096), "steps that the scale of the initial weights assumes"),
        ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles"),
        ParameterSpec::real("layer_norm_epsilon", 1e-5, (1e-12, 1.0), "added to the variance before the root"),
    ],
    ..BackboneDeclaration::new("moeut", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct Moeut {
    /// Everything but the core.
    stack: RecurrentStack,
    layer: LayerShape,
    core: Vec<MoeutLayer>,
    feed_forward_entropy: f64,
    attention_entropy: f64,
}

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
    let (d_ff, experts) = (size("d_ff")?, size("ff_experts")?);
    if !d_ff.is_multiple_of(experts) {
        return Err(Error::invalid("ff_experts", format!("a divisor of d_ff {d_ff}"), experts));
    }
    let attention = AttentionShape {
        head_dim: Some(size("head_dim")?).filter(|width| *width > 0),
        ..AttentionShape::new(size("d_model")?, size("heads")?)
    };
    attention.validate()?;
    let layer = LayerShape {
        d_model: attention.d_model,
        heads: attention.heads,
        head_dim: attention.head_width(),
        attention_experts: size("att_experts")?,
        attention_selected: selected("att_k", "att_experts")?,
        experts,
        expert_width: d_ff / experts,
        selected: selected("ff_k", "ff_experts")?,
        epsilon: parameters.real("layer_norm_epsilon")?,
        rope_theta: parameters.real("rope_theta")?,
        initial_scale: (2.0 / (size("init_steps")? * layers.core) as f64).sqrt(),
    };
    // The stack reads only sizes and the final norm from this shape.
    let shape = BlockShape {
        attention,
        feed_forward: FeedForwardShape::new(layer.d_model, d_ff, Activation::Relu),
        norm: NormShape::Layer { epsilon: layer.epsilon },
        placement: Placement::Pre,
        causal: true,
    };
    let around = Depths { core: 0, ..layers };
    let shape = StackShape { head_bias: true, ..StackShape::new(context.vocabulary.size, around, shape) };
    let stack = RecurrentStack::of(shape, layer.cost(), &context.variables, |_, variables| {
        Ok(Layer::Composed(Box::new(MoeutLayer::new(layer, variables)?)))
    })?;
    let core = context.variables.pp("core").pp("layers");
    Ok(Box::new(Moeut {
        stack,
        layer,
        core: (0..layers.core).map(|index| MoeutLayer::new(layer, core.pp(index))).collect::<Result<_>>()?,
        feed_forward_entropy: parameters.real("ff_entropy")?,
        attention_entropy: parameters.real("att_entropy")?,
    }))
}

/// The selections that the layers of the core have noted in this pass.
fn notes(key_values: &mut KeyValues) -> Result<Notes> {
    key_values.kept(0, || Ok(Notes::default()))
}

impl Backbone for Moeut {
    fn dimensions(&self) -> Dimensions {
        Dimensions { core_layers: self.core.len(), ..self.stack.dimensions() }
    }

    fn is_stationary(&self) -> bool {
        true
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        Ok(self.stack.prelude(&self.stack.embed(tokens)?, context)?.into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let plan = AttentionPlan::new(context.layout, context.rows, context.key_values.visible());
        let notes = match context.phase {
            Phase::Training(_) => Some(notes(context.key_values)?),
            Phase::Evaluation => None,
        };
        let mut states = states.clone();
        for (index, layer) in self.core.iter().enumerate() {
            let notes = notes.as_ref().map(|notes| notes.of_layer(index, context.layout));
            states = step_layer(&Noted { layer, notes }, Place::shared(index), &states, context, &plan)?;
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
        self.stack.coda(states, layout, readout, cache)
    }

    fn regulariser(&self, key_values: &mut KeyValues) -> Result<Option<Tensor>> {
        notes(key_values)?.regulariser(|kind| match kind {
            Kind::FeedForward => self.feed_forward_entropy,
            Kind::Value | Kind::Output => self.attention_entropy,
        })
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost { step: self.layer.cost().times(self.core.len()), ..self.stack.cost() }
    }
}
