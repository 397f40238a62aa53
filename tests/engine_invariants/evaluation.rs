//! Compacted evaluation against masked dense evaluation and against the SDK's reference loop.

use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_sdk::conformance::{self, Settings};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, close, device, for_all, numbers, subjects, tolerance};

fn differ(depths: &[u32]) -> bool {
    depths.iter().any(|depth| *depth != depths[0])
}

/// Whether a policy's distribution sums to one. Weights of Universal-Transformer ACT need not; those of token-choice routing
/// are 1 and a gate.
fn sums_to_one(subject: &Subject) -> bool {
    let given = |name: &str, value: Value| subject.given.get(name) == Some(&value);
    subject.declaration.name != "mor-token-choice"
        && !given("output", Value::Text("basic".to_owned()))
        && !given("force_remainder", Value::Flag(false))
}

pub fn compacted_equals_dense(subject: &Subject, setup: &Setup) -> bool {
    let what = format!("{} {setup:?}", subject.label());
    let model = subject.model(setup);
    let (batch, privileged) = setup.pack(&setup.sequences(&LENGTHS));
    let compacted = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap();
    let dense = evaluate(&model, &batch, Execution::Dense, Some(&privileged)).unwrap();
    assert_eq!(compacted.depths, dense.depths, "{what}");
    assert_eq!(compacted.predicted, dense.predicted, "{what}");
    close(&what, &numbers(&compacted.logits), &numbers(&dense.logits), tolerance(setup.dtype));
    if let (Some(compacted), Some(dense)) = (&compacted.beliefs, &dense.beliefs) {
        close(&what, &compacted.expected, &dense.expected, tolerance(setup.dtype));
    }
    differ(&compacted.depths)
}

#[test]
fn invariant_5_compacted_evaluation_equals_masked_dense_evaluation() {
    in_one_thread(|| for_all(&Setup::both_types(), compacted_equals_dense));
}

pub fn equals_the_reference_loop(subject: &Subject, setup: &Setup) -> bool {
    let what = format!("{} {setup:?}", subject.label());
    let model = subject.model(setup);
    let sequences = setup.sequences(&LENGTHS);
    let (batch, privileged) = setup.pack(&sequences);
    let found = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap();
    let batch_of_reference = conformance::Batch::new(&sequences, subject.declaration.uses_labels, &device()).unwrap();
    let settings = Settings { max_depth: setup.max_depth, halted: setup.halted, seed: setup.seed };
    let expected = conformance::run(model.backbone.as_ref(), &model.policy, &batch_of_reference, &settings).unwrap();
    assert_eq!(found.depths, expected.depths, "{what}");
    let expected_logits = batch.readout.select(&expected.logits).unwrap();
    close(&what, &numbers(&found.logits), &numbers(&expected_logits), tolerance(setup.dtype));
    if let (Some(found), Some(expected)) = (&found.beliefs, &expected.expected_depths) {
        close(&what, &found.expected, expected, tolerance(setup.dtype));
        for (distribution, mean) in found.distributions.iter().zip(&found.expected) {
            // Weights of policies that mix include the state before the first step.
            let first = setup.max_depth + 1 - distribution.len();
            let terms = distribution.iter().enumerate();
            let again: f64 = terms.map(|(place, mass)| f64::from(*mass) * (place + first) as f64).sum();
            assert!((again - mean).abs() < 1e-5, "{what}: {distribution:?}");
            let sum = distribution.iter().sum::<f32>();
            assert!(!sums_to_one(subject) || (sum - 1.0).abs() < 1e-5, "{what}: {distribution:?}");
        }
    }
    let monotone = matches!(subject.declaration.kind, PolicyKind::Early | PolicyKind::Online);
    if monotone && setup.halted != HaltedKeysValues::RunOn {
        assert_eq!(found.ledger.token_steps_executed, expected.executed, "{what}");
    }
    differ(&found.depths)
}

#[test]
fn invariant_5_evaluation_equals_the_reference_loop() {
    in_one_thread(|| for_all(&Setup::both_types(), equals_the_reference_loop));
}

/// With D = 1 there is nothing to decide, but every kind must still run.
#[test]
fn invariant_5_a_single_step_equals_the_reference_loop() {
    for subject in subjects() {
        equals_the_reference_loop(subject, &Setup { max_depth: 1, ..Setup::PLAIN });
        compacted_equals_dense(subject, &Setup { max_depth: 1, ..Setup::PLAIN });
    }
}
