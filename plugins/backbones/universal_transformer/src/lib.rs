//! The backbone `universal-transformer`: tied layers applied again and again, with signals of position and step added
//! before every step (Dehghani et al. 2018, arXiv 1807.03819).

use std::sync::Arc;

use haltbench_sdk::layers::{
    Activation, AttentionShape, BlockShape, Depths, FeedForwardShape, NormShape, Placement, RecurrentStack, Sinusoid,
    StackShape, positions_of,
};
use haltbench_sdk::prelude::*;
use haltbench_sdk_dylib as _;

/// Declaration of the backbone.
pub const DECLARATION: BackboneDeclaration = BackboneDeclaration {
    summary: "Universal Transformer: one layer applied again and again; position and step are added before every step.",
    documentation: "\
## What it computes

`h(0)` is the token's embedding times √d_model, `h(d) = layer(h(d-1) + P(position) + T(d-1))`, and the head reads h(d*).
P and T are sinusoids as in Tensor2Tensor, both counted from 0: m = d_model / 2 sines of t · 10000^(-i / (m - 1)), then as
many cosines. There are no rotary positions and no biases in attention.

`norm` post is `x = n(x + f(x))`, pre is `x = x + f(n(x))` with a norm before the head. A learned step signal is √d_model
times a row of a table for `learned_steps` steps, and cannot go beyond them. Layers of a prelude, where there are any, see the embedding with
P added. Keys and values of a frozen state are projected from the state itself, without the signals of later steps.

## Checkpoint

Weights carry the names of Hugging Face's Llama inside `prelude.layers.N.`, `core.layers.N.` and `coda.layers.N.`, norms
after a sum end in `_2`; `core.step_signal.weight` is the learned table.",
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
        ParameterSpec::choice("position_signal", "sinusoid", &["sinusoid", "none"], "what is added for the position"),
        ParameterSpec::choice("step_signal", "sinusoid", &["sinusoid", "learned", "none"], "what is added for the step"),
        ParameterSpec::integer("learned_steps", 32, (1, 4096), "rows of a learned step signal"),
        ParameterSpec::real("layer_norm_epsilon", 1e-6, (1e-12, 1.0), "added to the variance before the root"),
    ],
    ..BackboneDeclaration::new("universal-transformer", build)
};

haltbench_sdk::register_backbone!(DECLARATION);

/// What is added for a step.
enum StepSignal {
    None,
    Sinusoid(Sinusoid),
    Learned(Tensor),
}

struct UniversalTransformer {
    stack: RecurrentStack,
    position: Option<Sinusoid>,
    step: StepSignal,
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let d_model = parameters.integer("d_model")?;
    let is_post = parameters.text("norm")? == "post";
    let activation = if parameters.text("activation")? == "relu" { Activation::Relu } else { Activation::Gelu };
    let layer = BlockShape {
        attention: AttentionShape::new(d_model, parameters.integer("heads")?),
        feed_forward: FeedForwardShape {
            bias: true,
            ..FeedForwardShape::new(d_model, parameters.integer("d_ff")?, activation)
        },
        norm: NormShape::Layer { epsilon: parameters.real("layer_norm_epsilon")? },
        placement: if is_post { Placement::Post } else { Placement::Pre },
    };
    let shape = StackShape {
        embedding_scale: (d_model as f64).sqrt(),
        final_norm: Some(layer.norm).filter(|_| !is_post),
        ..StackShape::new(context.vocabulary, Depths::from_parameters(parameters)?, layer)
    };
    let normal = Init::Randn { mean: 0.0, stdev: (d_model as f64).sqrt().recip() };
    let table = |rows| context.variables.pp("core").pp("step_signal").get_with_hints((rows, d_model), "weight", normal);
    let step = match parameters.text("step_signal")? {
        "sinusoid" => StepSignal::Sinusoid(Sinusoid::new(d_model)),
        "learned" => StepSignal::Learned(table(parameters.integer("learned_steps")?)?),
        _ => StepSignal::None,
    };
    let position = (parameters.text("position_signal")? == "sinusoid").then(|| Sinusoid::new(d_model));
    Ok(Box::new(UniversalTransformer { stack: RecurrentStack::new(shape, &context.variables)?, position, step }))
}

impl UniversalTransformer {
    fn at_positions(&self, states: &Tensor, layout: &TokenLayout, rows: &RowSet) -> Result<Tensor> {
        let Some(signal) = &self.position else { return Ok(states.clone()) };
        Ok((states + signal.of(&positions_of(layout, rows.as_slice()), states)?)?)
    }

    fn at_step(&self, states: &Tensor, step: usize) -> Result<Tensor> {
        let signal = match &self.step {
            StepSignal::None => return Ok(states.clone()),
            StepSignal::Sinusoid(signal) => signal.of(&[step as u32 - 1], states)?,
            StepSignal::Learned(table) if step <= table.dim(0)? => {
                (table.narrow(0, step - 1, 1)? * (table.dim(1)? as f64).sqrt())?
            }
            StepSignal::Learned(table) => {
                let expected = format!("at most the {} that have a learned signal", table.dim(0)?);
                return Err(Error::invalid("step of universal-transformer", expected, step));
            }
        };
        Ok(states.broadcast_add(&signal)?)
    }
}

impl Backbone for UniversalTransformer {
    fn dimensions(&self) -> Dimensions {
        self.stack.dimensions()
    }

    fn is_stationary(&self) -> bool {
        matches!(self.step, StepSignal::None)
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        let embedded = self.stack.embed(tokens)?;
        if self.stack.layers().prelude == 0 {
            return Ok(embedded.into());
        }
        let placed = self.at_positions(&embedded, context.layout, &RowSet::all(context.layout.rows()))?;
        Ok(self.stack.prelude(&placed, context)?.into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        self.stack.step_from(states, context, |states, context| {
            self.at_step(&self.at_positions(states, context.layout, context.rows)?, context.step)
        })
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

    fn cost(&self) -> BackboneCost {
        self.stack.cost()
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::conformance::check_backbone_with;
    use haltbench_sdk::parameters::Value;

    #[test]
    fn conforms() {
        let text = |value: &str| Value::Text(value.to_owned());
        check_backbone_with(&super::DECLARATION, &[]);
        let learned = [("step_signal", text("learned")), ("norm", text("pre")), ("activation", text("gelu"))];
        check_backbone_with(&super::DECLARATION, &learned);
        let plain = [("step_signal", text("none")), ("position_signal", text("none"))];
        check_backbone_with(&super::DECLARATION, &plain);
    }
}
