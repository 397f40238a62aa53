use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_sdk::conformance::{check_backbone, check_backbone_with};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::loopformer::DECLARATION;
use crate::schedule::{Moment, Schedule};

#[test]
fn conforms() {
    check_backbone(&DECLARATION);
    let text = |name, value: &str| (name, Value::Text(value.to_owned()));
    let others = [text("schedule", "0.5 0.2 0.3"), text("positions", "rope"), ("tied", Value::Flag(false))];
    check_backbone_with(&DECLARATION, &others);
}

fn built(given: &[(&str, Value)]) -> Result<Box<dyn Backbone>> {
    let mut all = BTreeMap::from([("d_model".to_owned(), Value::Integer(16))]);
    all.extend(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let parameters = Parameters::resolve("loopformer", DECLARATION.parameters, &all)?;
    let variables = Variables::new(0, DType::F64, &Device::Cpu);
    (DECLARATION.build)(&BackboneContext {
        vocabulary: Vocabulary::new(5),
        parameters: &parameters,
        variables: variables.builder(),
    })
}

#[test]
fn steps_of_a_pass_divide_it_equally() {
    let uniform = Schedule::parse("uniform").unwrap();
    assert_eq!(uniform.moment(1, 4), Moment { time: 0.0, size: 0.25 });
    assert_eq!(uniform.moment(3, 4), Moment { time: 0.5, size: 0.25 });
    let given = Schedule::parse("0.5 0.2 0.3").unwrap();
    assert_eq!(given.moment(3, 3), Moment { time: 0.7, size: 0.3 });
    // A shorter pass has equal steps.
    assert_eq!(given.moment(2, 2), Moment { time: 0.5, size: 0.5 });
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    for wrong in ["0.5 0.4", "1.5 -0.5", "half", ""] {
        let error = built(&[("schedule", Value::Text(wrong.to_owned()))]).err().unwrap().to_string();
        assert!(error.starts_with("schedule: expected `uniform`, or positive step sizes that sum to 1"), "{error}");
    }
    let backbone = built(&[("schedule", Value::Text("0.5 0.5".to_owned()))]).unwrap();
    let layout = Arc::new(TokenLayout::new(&[1], &[0]).unwrap());
    let tokens = Tensor::new(&[1u32], &Device::Cpu).unwrap();
    let mut context = BeginContext { max_depth: 3, ..BeginContext::new(&layout) };
    let error = backbone.begin(&tokens, &mut context).unwrap_err().to_string();
    assert_eq!(error, "schedule: expected a size for each of D = 3 steps, found 2 sizes");
}

/// A token whose depth is known takes the steps of a pass of that depth, whatever the others do.
#[test]
fn a_planned_depth_has_steps_of_its_own_size() {
    let backbone = built(&[]).unwrap();
    let layout = Arc::new(TokenLayout::new(&[3, 2], &[0, 1]).unwrap());
    let tokens = Tensor::new(&[1u32, 2, 3, 4, 0], &Device::Cpu).unwrap();
    let all = RowSet::all(5);
    let states = |max_depth: usize, planned: Option<&[u32]>| -> Vec<Vec<f64>> {
        let start = backbone.begin(&tokens, &mut BeginContext { max_depth, ..BeginContext::new(&layout) }).unwrap();
        let mut memory = KeyValues::new(HaltedKeysValues::FreezeState, backbone.dimensions().core_layers, 5);
        memory.begin_dense(&all, &[false; 5], &start.states).unwrap();
        let context = StepContext::new(1, &layout, &all, &mut memory);
        let moved = backbone.step(&start.states, &mut StepContext { max_depth, planned, ..context }).unwrap();
        moved.to_vec2().unwrap()
    };
    let (two, four) = (states(2, None), states(4, None));
    assert_ne!(two, four);
    assert_eq!(states(4, Some(&[2; 5])), two);
    assert_eq!(states(4, Some(&[4; 5])), four);
    let mixed = states(4, Some(&[2, 2, 2, 4, 4]));
    let near = |left: &[Vec<f64>], right: &[Vec<f64>]| {
        left.concat().iter().zip(right.concat()).all(|(left, right)| (left - right).abs() < 1e-12)
    };
    assert!(near(&mixed[..3], &two[..3]) && near(&mixed[3..], &four[3..]));
}
