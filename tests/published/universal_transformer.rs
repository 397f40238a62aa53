//! The signals of the backbone `universal-transformer` against Tensor2Tensor's.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::plugins;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layers::Sinusoid;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;

#[test]
fn signals_of_positions_and_steps() {
    for golden in Golden::all("ut_act_t2t") {
        for name in ["expected.signal_position", "expected.signal_step"] {
            let expected = golden.tensor(name);
            let (count, width) = expected.dims2().unwrap();
            let numbers: Vec<u32> = (0..count as u32).collect();
            golden.close(name, &Sinusoid::new(width).of(&numbers, &expected).unwrap(), &expected);
        }
    }
}

fn backbone(golden: &Golden, given: &[(&str, &str)]) -> Box<dyn Backbone> {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let declaration = catalogue.backbone("universal-transformer").unwrap();
    let width = golden.size("d") as i64;
    let mut values: BTreeMap<String, Value> = [("d_model", width), ("d_ff", 12), ("heads", 2)]
        .map(|(name, size)| (name.to_owned(), Value::Integer(size)))
        .into();
    values.extend(given.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned()))));
    let parameters = Parameters::resolve(declaration.name, declaration.parameters, &values).unwrap();
    let variables = Variables::new(4, DType::F64, &Device::Cpu);
    let context =
        BackboneContext { vocabulary: Vocabulary::new(7), parameters: &parameters, variables: variables.builder() };
    (declaration.build)(&context).unwrap()
}

/// A step applies the layer to the state plus both signals.
#[test]
fn a_step_adds_both_signals_to_the_state() {
    for golden in Golden::all("ut_act_t2t") {
        let signalled = backbone(&golden, &[]);
        let plain = backbone(&golden, &[("position_signal", "none"), ("step_signal", "none")]);
        let x = golden.tensor("input.x");
        let (sequences, length, width) = x.dims3().unwrap();
        let rows = sequences * length;
        let x = x.reshape((rows, width)).unwrap();
        let layout = Arc::new(TokenLayout::new(&vec![length; sequences], &[3, 4]).unwrap());
        let all = RowSet::all(rows);
        let stepped = |backbone: &dyn Backbone, step: usize, states: &Tensor| {
            let mut key_values = KeyValues::new(HaltedKeysValues::FreezeState, 1, rows);
            key_values.begin_dense(&all, &vec![false; rows], states).unwrap();
            backbone.step(states, &mut StepContext::new(step, &layout, &all, &mut key_values)).unwrap()
        };
        let (positions, steps) = (golden.tensor("expected.signal_position"), golden.tensor("expected.signal_step"));
        for step in 1..=golden.size("act_max_steps") {
            let both = positions.broadcast_add(&steps.get(step - 1).unwrap()).unwrap();
            let added = (&x + both.repeat((sequences, 1)).unwrap()).unwrap();
            let expected = stepped(plain.as_ref(), step, &added);
            golden.close(&format!("step {step}"), &stepped(signalled.as_ref(), step, &x), &expected);
        }
    }
}
