//! `universal-transformer`: tied layers with signals of position and step added before every step.

use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, NormShape, Placement, Recurrence, RecurrentStack,
    Signal, StackShape, positions_of,
};
use haltbench_sdk::prelude::*;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Universal Transformer: one layer applied again and again; position and step are added before every step.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding times √d_model, `h(d) = layer(h(d-1) + P(position) + T(d-1))`, and the head reads h(d*).
P and T are sinusoids as in Tensor2Tensor, both counted from 0: m = d_model / 2 sines of t · 10000^(-i / (m - 1)), then as
many cosines. There are no rotary positions and no biases in attention.

`norm` post is `x = n(x + f(x))`, pre is `x = x + f(n(x))` with a norm before the head. A learned signal is √d_model
times a row of a table and cannot go beyond it. Layers of a prelude, where there are any, see the embedding with
P added. Keys and values of a frozen state are projected from the state itself, without the signals of later steps.
Weights carry the names of Hugging Face's Llama; norms after a sum end in `_2`; learned tables are
`core.position_signal.weight` and `core.step_signal.weight`.",
    reference: "Dehghani et al. 2018, arXiv 1807.03819, section 2.1; code: tensorflow/tensor2tensor, universal_transformer",
    parameters: &[
        ParameterSpec::integer("d_model", 256, (2, 65_536), "width of a token state"),
        ParameterSpec::integer("d_ff", 1024, (1, 262_144), "width of the feed-forward layers"),
        ParameterSpec::integer("heads", 8, (1, 1024), "attention heads; must divide d_model"),
        ParameterSpec::integer("prelude_layers", 0, (0, 1024), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 1, (1, 1024), "layers of a step"),
        ParameterSpec::integer("coda_layers", 0, (0, 1024), "layers after the recurrence"),
        ParameterSpec::choice("norm", "post", &["post", "pre"], "where LayerNorm stands"),
        ParameterSpec::choice("activation", "relu", &["relu", "gelu"], "of the feed-forward layers"),
        ParameterSpec::choice("position_signal", "sinusoid", Signal::NAMES, "what is added for the position"),
        ParameterSpec::choice("step_signal", "sinusoid", Signal::NAMES, "what is added for the step"),
        ParameterSpec::integer("learned_positions", 1024, (1, 1 << 20), "positions that a learned signal has"),
        ParameterSpec::integer("learned_steps", 32, (1, 4096), "steps that a learned signal has"),
        ParameterSpec::real("layer_norm_epsilon", 1e-6, (1e-12, 1.0), "added to the variance before the root"),
    ],
    ..BackboneDeclaration::new("universal-transformer", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

struct UniversalTransformer {
    stack: RecurrentStack,
    position: Signal,
    step: Signal,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let d_model = parameters.integer("d_model")?;
    let is_post = parameters.text("norm")? == "post";
    let activation = if parameters.text("activation")? == "relu" { Activation::Relu } else { Activation::Gelu };
    let feed_forward = FeedForwardShape::new(d_model, parameters.integer("d_ff")?, activation);
    let layer = BlockShape {
        attention: AttentionShape::new(d_model, parameters.integer("heads")?),
        feed_forward: FeedForwardShape { bias: true, ..feed_forward },
        norm: NormShape::Layer { epsilon: parameters.real("layer_norm_epsilon")? },
        placement: if is_post { Placement::Post } else { Placement::Pre },
        causal: true,
    };
    let shape = StackShape {
        embedding_scale: (d_model as f64).sqrt(),
        final_norm: Some(layer.norm).filter(|_| !is_post),
        ..StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer)
    };
    let signal = |of: &str| {
        let (kind, variables) = (format!("{of}_signal"), context.variables.pp("core"));
        let count = parameters.integer(&format!("learned_{of}s"))?;
        Signal::named(parameters.text(&kind)?, d_model, count, variables.pp(&kind))
    };
    let stack = RecurrentStack::new(shape, &context.variables)?;
    Ok(Box::new(UniversalTransformer { stack, position: signal("position")?, step: signal("step")? }))
}

impl Recurrence for UniversalTransformer {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    fn is_same_at_every_step(&self) -> bool {
        self.step.is_none()
    }

    fn start(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let embedded = self.stack.embed(tokens)?;
        if self.stack.layers().prelude == 0 {
            return Ok(embedded.into());
        }
        let all = RowSet::all(context.layout.rows());
        let placed = self.position.add(&embedded, &positions_of(context.layout, all.as_slice()))?;
        Ok(self.stack.prelude(&placed, context)?.into())
    }

    fn enter(&self, states: &Tensor, context: &StepContext) -> Result<Tensor> {
        let placed = self.position.add(states, &positions_of(context.layout, context.rows.as_slice()))?;
        self.step.add(&placed, &[context.step as u32 - 1])
    }
}
