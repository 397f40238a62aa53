//! The model, its loss and every gradient against an independent implementation in PyTorch
//! (baselines/pytorch/make_fixtures.py, whose gradients are themselves checked against finite differences).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_engine::training;
use haltbench_sdk::candle_core::{DType, Device, Tensor, safetensors};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk_dylib as _;
use serde_json::Value as Json;

struct Case {
    tensors: BTreeMap<String, Tensor>,
    settings: Json,
    name: &'static str,
}

const CASES: [&str; 4] = ["anira_e_1_1_1", "anira_o_1_1_1", "anira_e_0_2_2", "anira_o_2_2_0"];

fn catalogue() -> Catalogue {
    plugins::catalogue(&[]).unwrap().0
}

impl Case {
    fn load(name: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/anira_reference");
        let tensors = safetensors::load(folder.join(format!("{name}.safetensors")), &Device::Cpu).unwrap();
        let settings = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        Self { tensors: tensors.into_iter().collect(), settings: serde_json::from_str(&settings).unwrap(), name }
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.tensors[name].to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn integers(&self, name: &str) -> Vec<u32> {
        self.numbers(name).into_iter().map(|number| number as u32).collect()
    }

    fn model(&self, catalogue: &Catalogue, dtype: DType) -> Model {
        let config = &self.settings["config"];
        let whole = |key: &str| Value::Integer(config[key].as_i64().unwrap());
        let real = |value: &Json| Value::Real(value.as_f64().unwrap());
        let backbone = catalogue.backbone("anira").unwrap();
        let keys = ["d_model", "d_ff", "heads", "prelude_layers", "core_layers", "coda_layers"];
        let mut given: BTreeMap<String, Value> = keys.iter().map(|key| ((*key).to_owned(), whole(key))).collect();
        given.insert("rms_norm_epsilon".to_owned(), real(&config["rms_norm_epsilon"]));
        given.insert("rope_theta".to_owned(), real(&config["rope_theta"]));
        let backbone_parameters = Parameters::resolve("anira", backbone.parameters, &given).unwrap();
        let policy = catalogue.policy(config["policy"].as_str().unwrap()).unwrap();
        let width = config["decider_width"].as_f64().unwrap() / config["d_model"].as_f64().unwrap();
        let given = BTreeMap::from([
            ("gamma".to_owned(), real(&self.settings["gamma"])),
            ("b".to_owned(), real(&self.settings["base"])),
            ("decider_width".to_owned(), Value::Real(width)),
        ]);
        let policy_parameters = Parameters::resolve("policy", policy.parameters, &given).unwrap();
        let parts = ModelParts {
            backbone: (backbone, &backbone_parameters),
            policy: (policy, &policy_parameters),
            vocabulary: config["vocabulary"].as_u64().unwrap() as usize,
            max_depth: config["max_depth"].as_u64().unwrap() as usize,
            halted_keys_values: HaltedKeysValues::from_name(config["halted_keys_values"].as_str().unwrap()).unwrap(),
            recompute: false,
            seed: 0,
        };
        let model = Model::new(parts, dtype, &Device::Cpu).unwrap();
        let names: Vec<String> = model.variables.weights().unwrap().into_keys().collect();
        let stored: Vec<&str> = self.tensors.keys().filter_map(|name| name.strip_prefix("weights.")).collect();
        assert_eq!(names, stored, "{}: names of the weights", self.name);
        for name in names {
            model.variables.set(&name, &self.tensors[&format!("weights.{name}")]).unwrap();
        }
        model
    }

    fn batch(&self) -> Batch {
        let lengths: Vec<usize> = self.integers("input.lengths").into_iter().map(|length| length as usize).collect();
        let identities: Vec<u64> = (0..lengths.len() as u64).collect();
        let layout = Arc::new(TokenLayout::new(&lengths, &identities).unwrap());
        let mask: Vec<bool> = self.integers("input.loss_mask").into_iter().map(|loss| loss == 1).collect();
        let targets = self.integers("input.targets");
        let kept = targets.iter().zip(&mask).filter(|(_, loss)| **loss).map(|(target, _)| *target).collect();
        Batch {
            tokens: Tensor::from_vec(self.integers("input.tokens"), layout.rows(), &Device::Cpu).unwrap(),
            readout: RowSet::from_mask(&mask),
            targets: Arc::new(kept),
            target_index: (0..layout.rows()).map(|row| layout.position(row) as u32).collect(),
            complexity: vec![f32::NAN; layout.rows()],
            layout,
        }
    }
}

fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what}[{index}]: {found} against {expected}"
        );
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn rows(values: &[f64], width: usize, set: &RowSet) -> Vec<f64> {
    set.iter().flat_map(|row| values[row * width..(row + 1) * width].to_vec()).collect()
}

#[test]
fn training_pass_loss_and_every_gradient() {
    let catalogue = catalogue();
    for name in CASES {
        let case = Case::load(name);
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 2e-5)] {
            let (model, batch) = (case.model(&catalogue, dtype), case.batch());
            let noise = Noise::Given(case.numbers("input.noise"));
            let unrolled = unroll(&model, &batch, &noise, None).unwrap();
            assert_eq!(unrolled.record.depths, case.integers("output.depths"), "{name}");
            let log_q = unrolled.record.log_distribution.as_ref().unwrap();
            close("q", &numbers(&log_q.exp().unwrap()), &case.numbers("output.distribution"), tolerance);
            let expected = rows(&case.numbers("output.logits"), 11, &batch.readout);
            close("logits", &numbers(&unrolled.logits[0]), &expected, tolerance);
            let loss = training::loss(&model, &batch, &noise, None).unwrap();
            let gamma = case.settings["gamma"].as_f64().unwrap();
            close("cross-entropy", &[loss.cross_entropy], &case.numbers("output.cross_entropy"), tolerance);
            close("regulariser", &[loss.regulariser / gamma], &case.numbers("output.regulariser"), tolerance);
            close("loss", &numbers(&loss.total), &case.numbers("output.loss"), tolerance);
            let gradients = loss.total.backward().unwrap();
            let found = model.variables.gradients(&gradients).unwrap();
            assert!(found.keys().eq(model.variables.weights().unwrap().keys()), "{name}: every weight has a gradient");
            for (weight, found) in found {
                let found = numbers(&found);
                close(
                    &format!("{name} gradient of {weight}"),
                    &found,
                    &case.numbers(&format!("gradient.{weight}")),
                    tolerance,
                );
            }
        }
    }
}

/// Invariant 5: compacted execution gives the depths and logits of masked dense execution, and both those of the
/// reference's unroll.
#[test]
fn invariant_5_evaluation_equals_the_reference_compacted_and_dense() {
    let catalogue = catalogue();
    for name in CASES {
        let case = Case::load(name);
        for (dtype, tolerance) in [(DType::F64, 1e-10), (DType::F32, 2e-5)] {
            let (model, batch) = (case.model(&catalogue, dtype), case.batch());
            let expected = rows(&case.numbers("output.inference_logits"), 11, &batch.readout);
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
        vocabulary: 32,
        max_depth: 14,
        halted_keys_values: HaltedKeysValues::FreezeState,
        recompute: false,
        seed: 0,
    };
    assert_eq!(Model::new(parts, DType::F32, &Device::Cpu).unwrap().variables.parameters(), 5_088_270);
}
