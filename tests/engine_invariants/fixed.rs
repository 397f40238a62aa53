//! Policies without a choice: a fixed depth, a policy that never halts, one that halts at once.

use std::ops::Range;

use haltbench_engine::batch::Batch;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_sdk::key_values::KeyValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::setup::{LENGTHS, Setup, Subject, close, numbers, tolerance};

/// Logits of the rows under the loss after each of 1..=D applications of the core, by hand.
pub fn unrolled(model: &Model, batch: &Batch) -> Vec<Tensor> {
    trajectory(model, batch)[1..]
        .iter()
        .map(|states| model.backbone.coda(states, &batch.layout, &batch.readout, None).unwrap())
        .collect()
}

/// h(0), ..., h(D) if no row halts.
pub fn trajectory(model: &Model, batch: &Batch) -> Vec<Tensor> {
    let rows = RowSet::all(batch.rows());
    let layers = model.backbone.dimensions().core_layers;
    let mut key_values = KeyValues::new(model.halted_keys_values, layers, batch.rows());
    let mut states = vec![model.backbone.begin(&batch.tokens, &mut BeginContext::new(&batch.layout)).unwrap().states];
    for step in 1..=model.max_depth {
        key_values.begin_dense(&rows, &vec![false; batch.rows()], &states[step - 1]).unwrap();
        let mut context = StepContext::new(step, &batch.layout, &rows, &mut key_values);
        states.push(model.backbone.step(&states[step - 1], &mut context).unwrap());
    }
    states
}

/// The policy gives the same result as `depth` applications of the core to every token.
fn applies(subject: &Subject, model: &Model, setup: &Setup, depth: usize) {
    let what = format!("{} as fixed({depth}), {setup:?}", subject.label());
    let (batch, privileged) = setup.pack_for(model, &setup.sequences(&LENGTHS));
    let expected = unrolled(model, &batch).swap_remove(depth - 1);
    for execution in [Execution::Compacted, Execution::Dense] {
        let found = evaluate(model, &batch, execution, Some(&privileged)).unwrap();
        assert_eq!(found.depths, vec![depth as u32; batch.rows()], "{what}");
        close(&what, &numbers(&found.logits), &numbers(&expected), tolerance(setup.dtype));
        let steps = if execution == Execution::Compacted { depth } else { setup.max_depth };
        assert_eq!(found.ledger.token_steps_executed, (batch.rows() * steps) as u64, "{what}");
    }
}

/// The same in training, if the policy is trained.
fn trains(subject: &Subject, model: &Model, setup: &Setup, depth: usize) {
    // Under run-on, no token may halt before the last step: training would refuse it.
    let (batch, privileged) = setup.pack_for(model, &setup.sequences(&LENGTHS));
    let run_on = setup.halted == haltbench_sdk::key_values::HaltedKeysValues::RunOn;
    if run_on && depth < setup.max_depth {
        return;
    }
    let what = format!("{} trained as fixed({depth}), {setup:?}", subject.label());
    let expected = unrolled(model, &batch).swap_remove(depth - 1);
    let found = unroll(model, &batch, &Noise::Seeded(3), Some(&privileged)).unwrap();
    assert_eq!(found.record.depths, vec![depth as u32; batch.rows()], "{what}");
    close(&what, &numbers(&found.logits[0]), &numbers(&expected), tolerance(setup.dtype));
}

#[test]
fn fixed_depth_is_that_many_applications() {
    for setup in Setup::both_types() {
        for depth in 1..=setup.max_depth {
            let subject = Subject::registered("fixed", &[("depth", Value::Integer(depth as i64))]);
            let model = subject.model(&setup);
            applies(&subject, &model, &setup, depth);
            trains(&subject, &model, &setup, depth);
        }
    }
}

/// Sets the last layer of ANIRA's decider to the constant scores `scores`.
fn constant(model: &Model, scores: &[f64]) {
    for (name, variable) in model.variables.all() {
        if name == "decider.down.weight" {
            model.variables.set(&name, &variable.zeros_like().unwrap()).unwrap();
        }
    }
    model.variables.set("decider.down.bias", &Tensor::new(scores, &Device::Cpu).unwrap()).unwrap();
}

/// A hazard of e^-50 never reaches the threshold 1; a hazard of 1 - e^-50 always does.
#[test]
fn never_halting_is_the_full_depth_and_always_halting_is_one_step() {
    for setup in Setup::both_types() {
        for (logit, depth) in [(-50.0, setup.max_depth), (50.0, 1)] {
            let given = [("rule", Value::Text("threshold".to_owned())), ("threshold", Value::Real(1.0))];
            let subject = Subject::registered("anira-o", &given);
            let model = subject.model(&setup);
            constant(&model, &[logit]);
            applies(&subject, &model, &setup, depth);
            trains(&subject, &model, &setup, depth);
        }
    }
}

#[test]
fn an_early_policy_that_is_certain_is_a_fixed_depth() {
    for setup in Setup::both_types() {
        for depth in 1..=setup.max_depth {
            let subject = Subject::registered("anira-e", &[]);
            let model = subject.model(&setup);
            let certain: Range<usize> = depth - 1..depth;
            let scores = (0..setup.max_depth).map(|place| if certain.contains(&place) { 400.0 } else { 0.0 });
            constant(&model, &scores.collect::<Vec<f64>>());
            applies(&subject, &model, &setup, depth);
            trains(&subject, &model, &setup, depth);
        }
    }
}
