use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_sdk::conformance::{check_backbone, check_backbone_with};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::{Phase, Progress};
use haltbench_sdk::prelude::*;

use crate::reasoner::DECLARATION;
use crate::updates::{Half, updates};

#[test]
fn conforms() {
    check_backbone(&DECLARATION);
    let one = [("networks", Value::Text("one".to_owned())), ("l_cycles", Value::Integer(1))];
    check_backbone_with(&DECLARATION, &one);
}

#[test]
fn low_updates_come_before_each_high_one() {
    let order: Vec<Half> = updates(2, 2).collect();
    assert_eq!(order, [Half::Low, Half::Low, Half::High, Half::Low, Half::Low, Half::High]);
}

/// The gradient of a sum of the new states by the states that the step was given.
fn slope(backpropagate: &str, phase: Phase) -> Option<f64> {
    let given = BTreeMap::from([
        ("d_model".to_owned(), Value::Integer(8)),
        ("d_ff".to_owned(), Value::Integer(12)),
        ("heads".to_owned(), Value::Integer(2)),
        ("backpropagate".to_owned(), Value::Text(backpropagate.to_owned())),
    ]);
    let parameters = Parameters::resolve("recursive-reasoner", DECLARATION.parameters, &given).unwrap();
    let variables = Variables::new(0, DType::F64, &Device::Cpu);
    let context =
        BackboneContext { vocabulary: Vocabulary::new(5), parameters: &parameters, variables: variables.builder() };
    let backbone = (DECLARATION.build)(&context).unwrap();
    let layout = Arc::new(TokenLayout::new(&[3], &[0]).unwrap());
    let tokens = Tensor::new(&[1u32, 2, 3], &Device::Cpu).unwrap();
    let start = backbone.begin(&tokens, &mut BeginContext::new(&layout)).unwrap();
    let states = haltbench_sdk::candle_core::Var::from_tensor(&start.states).unwrap();
    let all = RowSet::all(3);
    let mut memory = KeyValues::new(HaltedKeysValues::FreezeState, backbone.dimensions().core_layers, 3);
    memory.begin_dense(&all, &[false; 3], &states).unwrap();
    let context = StepContext::new(1, &layout, &all, &mut memory).with_input(start.input.as_ref());
    let moved = backbone.step(&states, &mut StepContext { phase, ..context }).unwrap();
    let weights: Vec<f64> = (0..moved.elem_count()).map(|place| (place as f64).sin()).collect();
    let weights = Tensor::from_vec(weights, moved.shape(), &Device::Cpu).unwrap();
    let gradients = (moved * weights).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(variables.gradients(&gradients).unwrap().keys().any(|name| name.starts_with("core.high")));
    gradients.get(&states).map(|slope| slope.abs().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap())
}

/// Truncation acts in training alone: nothing of the carried states has a gradient.
#[test]
fn gradients_stop_where_they_are_asked_to() {
    let training = Phase::Training(Progress { step: 0, total: 1 });
    for truncated in ["one-step", "last-cycle"] {
        assert_eq!(slope(truncated, training), None);
        assert!(slope(truncated, Phase::Evaluation).unwrap() > 0.0);
    }
    assert!(slope("full", training).unwrap() > 0.0);
}
