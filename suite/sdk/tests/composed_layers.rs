//! Stacks of composed layers keep the promises of a backbone, whatever they are composed of.

use std::sync::Arc;

use haltbench_sdk::conformance::check_backbone_with;
use haltbench_sdk::layers::{
    Activation, AttentionBiases, AttentionShape, BlockShape, Depths, FeedForwardShape, NormShape, Placement,
    RecurrentStack, Rotation, StackShape,
};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

static COMPOSED: BackboneDeclaration = BackboneDeclaration {
    summary: "A stack of composed layers.",
    documentation: "See the test.",
    reference: "none",
    parameters: &[
        ParameterSpec::integer("d_model", 16, (4, 64), "width of a token state"),
        ParameterSpec::integer("prelude_layers", 1, (0, 4), "layers before the recurrence"),
        ParameterSpec::integer("core_layers", 1, (1, 4), "layers of the recurrent core"),
        ParameterSpec::integer("coda_layers", 1, (0, 4), "layers after the recurrence"),
        ParameterSpec::integer("composition", 0, (0, 3), "which of the compositions below"),
        ParameterSpec::flag("doubles", false, "the core reads twice the state"),
    ],
    ..BackboneDeclaration::new("composed", build)
};

struct Composed {
    stack: RecurrentStack,
    doubles: bool,
}

/// Every option of every part is in one of them.
fn composition(number: usize, d_model: usize) -> BlockShape {
    let attention = AttentionShape::new(d_model, 4);
    let rms = NormShape::Rms { epsilon: 1e-5, weighted: true };
    let layer = NormShape::Layer { epsilon: 1e-5 };
    match number {
        0 => BlockShape {
            attention: AttentionShape {
                key_value_heads: 2,
                rotation: Rotation::Interleaved { theta: 100.0 },
                biases: AttentionBiases::QUERY_KEY_VALUE,
                ..attention
            },
            feed_forward: FeedForwardShape::new(d_model, 12, Activation::Gelu),
            norm: rms,
            placement: Placement::Sandwich,
        },
        1 => BlockShape {
            attention: AttentionShape { norm: Some(rms), rotation: Rotation::Halves { theta: 100.0 }, ..attention },
            feed_forward: FeedForwardShape { bias: true, ..FeedForwardShape::new(d_model, 12, Activation::SwiGlu) },
            norm: rms,
            placement: Placement::InBranch,
        },
        2 => BlockShape {
            attention: AttentionShape { key_value_heads: 1, head_dim: Some(3), ..attention },
            feed_forward: FeedForwardShape { bias: true, ..FeedForwardShape::new(d_model, 12, Activation::Relu) },
            norm: layer,
            placement: Placement::Post,
        },
        _ => BlockShape {
            attention: AttentionShape { rotation: Rotation::Halves { theta: 100.0 }, ..attention },
            feed_forward: FeedForwardShape::new(d_model, 12, Activation::SwiGlu),
            norm: NormShape::Rms { epsilon: 1e-5, weighted: false },
            placement: Placement::Pre,
        },
    }
}

fn build(context: &BackboneContext) -> Result<Box<dyn Backbone>> {
    let parameters = context.parameters;
    let layer = composition(parameters.integer("composition")?, parameters.integer("d_model")?);
    let shape = StackShape {
        tied: layer.placement == Placement::Sandwich,
        final_norm: Some(layer.norm).filter(|_| layer.placement != Placement::Post),
        embedding_scale: 2.0,
        ..StackShape::new(context.vocabulary, Depths::from_parameters(parameters)?, layer)
    };
    let stack = RecurrentStack::new(shape, &context.variables)?;
    Ok(Box::new(Composed { stack, doubles: parameters.flag("doubles")? }))
}

impl Backbone for Composed {
    fn dimensions(&self) -> Dimensions {
        self.stack.dimensions()
    }

    fn is_stationary(&self) -> bool {
        true
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        Ok(self.stack.prelude(&self.stack.embed(tokens)?, context)?.into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        if !self.doubles {
            return self.stack.step(states, context);
        }
        self.stack.step_from(states, context, |states, _| Ok((states * 2.0)?))
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

#[test]
fn composed_stacks_conform() {
    for composition in 0..4 {
        check_backbone_with(&COMPOSED, &[("composition", Value::Integer(composition))]);
    }
}

#[test]
fn stacks_whose_core_reads_something_else_conform() {
    for composition in [0, 2] {
        let given = [("composition", Value::Integer(composition)), ("doubles", Value::Flag(true))];
        check_backbone_with(&COMPOSED, &given);
    }
}
