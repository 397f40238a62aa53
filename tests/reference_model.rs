//! The model, its loss and every gradient against two independent implementations. The first is PyTorch's numbers
//! (baselines/pytorch/make_fixtures.py, which checks its own gradients against finite differences). The second is a
//! slow unroll, checked against PyTorch, for cases that PyTorch does not cover: many rows, and every option of halted
//! keys and values.

#[path = "reference_model/case.rs"]
mod case;
#[path = "reference_model/slow_unroll.rs"]
mod slow_unroll;

use std::collections::{BTreeMap, BTreeSet};

use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_engine::training;
use haltbench_sdk::candle_core::{DType, Device};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::vocabulary::Vocabulary;
use haltbench_sdk_dylib as _;

use case::{Case, Drawn, VOCABULARY, numbers};

const CASES: [&str; 4] = ["anira_e_1_1_1", "anira_o_1_1_1", "anira_e_0_2_2", "anira_o_2_2_0"];

/// Cases for the slow unroll. A layer works on blocks of 64 rows, so more than 128 rows are at least three blocks.
const DRAWN: [Drawn; 6] = [
    Drawn {
        name: "many rows, early",
        policy: "anira-e",
        layers: [1, 1, 1],
        halted_keys_values: "freeze-state",
        lengths: &[140, 1, 33, 64],
        seed: 1,
    },
    Drawn {
        name: "many rows, online",
        policy: "anira-o",
        layers: [0, 2, 1],
        halted_keys_values: "freeze-state",
        lengths: &[90, 5, 70],
        seed: 2,
    },
    Drawn {
        name: "latest-kv, early",
        policy: "anira-e",
        layers: [1, 2, 1],
        halted_keys_values: "latest-kv",
        lengths: &[6, 70, 3, 60],
        seed: 13,
    },
    Drawn {
        name: "latest-kv, online",
        policy: "anira-o",
        layers: [1, 1, 0],
        halted_keys_values: "latest-kv",
        lengths: &[9, 1, 5],
        seed: 4,
    },
    Drawn {
        name: "skip, early",
        policy: "anira-e",
        layers: [1, 1, 1],
        halted_keys_values: "skip",
        lengths: &[9, 1, 5],
        seed: 5,
    },
    Drawn {
        name: "skip, online",
        policy: "anira-o",
        layers: [1, 2, 1],
        halted_keys_values: "skip",
        lengths: &[6, 70, 3, 60],
        seed: 6,
    },
];

/// Tolerances in f64 and in f32: the promise is 1e-5.
const TOLERANCES: [(DType, f64); 2] = [(DType::F64, 1e-10), (DType::F32, 1e-5)];

/// Added to the scale of a tensor: if its numbers cancel, its errors still have the size of its terms.
const FLOOR: f64 = 1e-4;

fn catalogue() -> Catalogue {
    plugins::catalogue(&[]).unwrap().0
}

/// Asserts that every number is close to the expected one, relative to the largest number of the tensor. Elements of a
/// gradient are sums over all rows, and their rounding errors stay large if the sum is small; and relative to 1 + the
/// number itself, a missing gradient of 1e-5 would pass.
fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = FLOOR + expected.iter().fold(0.0f64, |most, number| most.max(number.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / scale;
        assert!(error <= tolerance, "{what}[{index}]: {found} against {expected}, {error:.1e} of {scale:.1e}");
    }
}

fn rows(values: &[f64], width: usize, set: &RowSet) -> Vec<f64> {
    set.iter().flat_map(|row| values[row * width..(row + 1) * width].to_vec()).collect()
}

/// The engine's training pass has the outputs and every gradient of the case.
fn training_pass(case: &Case, catalogue: &Catalogue) {
    for (dtype, tolerance) in TOLERANCES {
        let what = |what: &str| format!("{} in {dtype:?}: {what}", case.name);
        let (model, batch) = (case.model(catalogue, dtype), case.batch());
        let noise = Noise::Given(case.numbers("input.noise"));
        let unrolled = unroll(&model, &batch, &noise, None).unwrap();
        assert_eq!(unrolled.record.depths, case.integers("output.depths"), "{}", what("depths"));
        let log_q = unrolled.record.log_distribution.as_ref().unwrap();
        close(&what("q"), &numbers(&log_q.exp().unwrap()), &case.numbers("output.distribution"), tolerance);
        let expected = rows(&case.numbers("output.logits"), VOCABULARY, &batch.readout);
        close(&what("logits"), &numbers(&unrolled.logits[0]), &expected, tolerance);
        let loss = training::loss(&model, &batch, &noise, None).unwrap();
        let gamma = case.settings["gamma"].as_f64().unwrap();
        close(&what("cross-entropy"), &[loss.cross_entropy], &case.numbers("output.cross_entropy"), tolerance);
        close(&what("regulariser"), &[loss.regulariser / gamma], &case.numbers("output.regulariser"), tolerance);
        close(&what("loss"), &numbers(&loss.total), &case.numbers("output.loss"), tolerance);
        let gradients = model.variables.gradients(&loss.total.backward().unwrap()).unwrap();
        assert!(gradients.keys().map(String::as_str).eq(case.weights()), "{}", what("every weight has a gradient"));
        for (weight, found) in gradients {
            let expected = case.numbers(&format!("gradient.{weight}"));
            close(&what(&format!("gradient of {weight}")), &numbers(&found), &expected, tolerance);
        }
    }
}

#[test]
fn training_pass_loss_and_every_gradient() {
    let catalogue = catalogue();
    CASES.iter().for_each(|name| training_pass(&Case::load(name), &catalogue));
}

#[test]
fn the_slow_unroll_is_that_of_the_reference() {
    for name in CASES {
        let case = Case::load(name);
        let unrolled = case.unrolled();
        let names = case.tensors.keys().filter(|name| name.starts_with("output.") || name.starts_with("gradient."));
        for tensor in names.filter(|name| !name.contains("inference")) {
            close(&format!("{name} {tensor}"), &unrolled.numbers(tensor), &case.numbers(tensor), 1e-10);
        }
    }
}

#[test]
fn training_of_many_rows_and_with_every_option_is_the_slow_unroll() {
    let catalogue = catalogue();
    for drawn in &DRAWN {
        let case = Case::draw(drawn, &catalogue).unrolled();
        let depths: BTreeSet<u32> = case.integers("output.depths").into_iter().collect();
        assert!(depths.len() >= 3, "{}: the depths {depths:?} vary too little", case.name);
        training_pass(&case, &catalogue);
    }
}

/// Invariant 5: compacted execution gives the depths and logits of masked dense execution, and both equal the
/// reference's unroll.
#[test]
fn invariant_5_evaluation_equals_the_reference_compacted_and_dense() {
    let catalogue = catalogue();
    for name in CASES {
        let case = Case::load(name);
        for (dtype, tolerance) in TOLERANCES {
            let (model, batch) = (case.model(&catalogue, dtype), case.batch());
            let expected = rows(&case.numbers("output.inference_logits"), VOCABULARY, &batch.readout);
            for execution in [Execution::Compacted, Execution::Dense] {
                let evaluated = evaluate(&model, &batch, execution, None).unwrap();
                assert_eq!(evaluated.depths, case.integers("output.inference_depths"), "{name} {execution:?}");
                close("logits", &numbers(&evaluated.logits), &expected, tolerance);
            }
        }
    }
}

/// The paper's configuration: backbone and ANIRA-E decider together have 5,088,270 weights.
#[test]
fn the_papers_configuration_has_its_number_of_weights() {
    let catalogue = catalogue();
    let resolve = |specs, name: &str, value| {
        Parameters::resolve("x", specs, &BTreeMap::from([(name.to_owned(), value)])).unwrap()
    };
    let (backbone, policy) = (catalogue.backbone("anira").unwrap(), catalogue.policy("anira-e").unwrap());
    let backbone_parameters = resolve(backbone.parameters, "d_model", Value::Integer(256));
    let policy_parameters = resolve(policy.parameters, "decider_width", Value::Real(6.5));
    let parts = ModelParts {
        backbone: (backbone, &backbone_parameters),
        policy: (policy, &policy_parameters),
        recipe: policy.recipe,
        source: None,
        vocabulary: Vocabulary::new(32),
        max_depth: 14,
        halted_keys_values: HaltedKeysValues::FreezeState,
        recompute: false,
        seed: 0,
    };
    assert_eq!(Model::new(parts, DType::F32, &Device::Cpu).unwrap().variables.parameters(), 5_088_270);
}
