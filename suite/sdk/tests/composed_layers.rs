//! Stacks of composed layers keep the promises of a backbone, for any composition.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;

use haltbench_sdk::candle_core::backprop::GradStore;
use haltbench_sdk::conformance::{check_backbone_with, miniature};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layers::{
    Activation, AttentionBiases, AttentionShape, BlockShape, Depths, FeedForwardShape, NormShape, Placement,
    Recurrence, RecurrentStack, Rotation, StackShape,
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

/// Compositions that together cover every option of every part.
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
            causal: true,
        },
        1 => BlockShape {
            attention: AttentionShape { norm: Some(rms), rotation: Rotation::Halves { theta: 100.0 }, ..attention },
            feed_forward: FeedForwardShape { bias: true, ..FeedForwardShape::new(d_model, 12, Activation::SwiGlu) },
            norm: rms,
            placement: Placement::InBranch,
            causal: true,
        },
        2 => BlockShape {
            attention: AttentionShape { key_value_heads: 1, head_dim: Some(3), ..attention },
            feed_forward: FeedForwardShape { bias: true, ..FeedForwardShape::new(d_model, 12, Activation::Relu) },
            norm: layer,
            placement: Placement::Post,
            causal: true,
        },
        _ => BlockShape {
            attention: AttentionShape { rotation: Rotation::Halves { theta: 100.0 }, ..attention },
            feed_forward: FeedForwardShape::new(d_model, 12, Activation::SwiGlu),
            norm: NormShape::Rms { epsilon: 1e-5, weighted: false },
            placement: Placement::Pre,
            causal: true,
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
        ..StackShape::new(context.vocabulary.size, Depths::from_parameters(parameters)?, layer)
    };
    let stack = RecurrentStack::new(shape, &context.variables)?;
    Ok(Box::new(Composed { stack, doubles: parameters.flag("doubles")? }))
}

impl Recurrence for Composed {
    fn stack(&self) -> &RecurrentStack {
        &self.stack
    }

    fn enter(&self, states: &Tensor, _: &StepContext) -> Result<Tensor> {
        Ok(if self.doubles { (states * 2.0)? } else { states.clone() })
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

/// Two steps, where a row has halted in the second, and the gradients of all weights.
fn passed(backbone: &dyn Backbone, variables: &Variables) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
    let layout = Arc::new(TokenLayout::new(&[5, 2], &[1, 2]).unwrap());
    let all = RowSet::all(7);
    let tokens = Tensor::new(&[0u32, 3, 1, 4, 2, 2, 0], &Device::Cpu).unwrap();
    let mut key_values = KeyValues::new(HaltedKeysValues::FreezeState, backbone.dimensions().core_layers, 7);
    let mut states = backbone.begin(&tokens, &mut BeginContext::new(&layout)).unwrap().states;
    for step in 1..=2 {
        let halted: Vec<bool> = (0..7).map(|row| row == 1 && step == 2).collect();
        key_values.begin_dense(&all, &halted, &states).unwrap();
        states = backbone.step(&states, &mut StepContext::new(step, &layout, &all, &mut key_values)).unwrap();
    }
    let logits = backbone.coda(&states, &layout, &all, None).unwrap();
    let gradients: GradStore = logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    let gradients = variables.gradients(&gradients).unwrap();
    (numbers(&logits), gradients.iter().map(|(name, gradient)| (name.clone(), numbers(gradient))).collect())
}

/// The miniature calls its fused layers one by one.
#[test]
fn a_stack_of_llama_layers_is_the_loop_over_fused_layers_to_the_bit() {
    struct Plain(RecurrentStack);
    impl Recurrence for Plain {
        fn stack(&self) -> &RecurrentStack {
            &self.0
        }
    }
    for core in [1, 2] {
        let (backbone, own) = miniature(5, core, 9, DType::F32, &Device::Cpu).unwrap();
        let layers = Depths { prelude: 1, core, coda: 1 };
        let layer = BlockShape::llama2(16, 24, 2, 1e-5, 10_000.0);
        let shape = StackShape { embedding_spread: 1.0, ..StackShape::new(5, layers, layer) };
        let variables = Variables::new(9, DType::F32, &Device::Cpu);
        let plain = Plain(RecurrentStack::new(shape, &variables.builder()).unwrap());
        assert_eq!(passed(&plain, &variables), passed(backbone.as_ref(), &own));
        assert_eq!(plain.cost(), backbone.cost());
    }
}
