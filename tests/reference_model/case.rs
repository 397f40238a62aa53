//! A small model with its inputs and its expected outputs and gradients.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins::Catalogue;
use haltbench_sdk::candle_core::{DType, Device, Tensor, Var, safetensors};
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::vocabulary::Vocabulary;
use serde_json::{Value as Json, json};

use crate::slow_unroll::{Outcome, SlowUnroll};

/// Vocabulary size of every case.
pub const VOCABULARY: usize = 11;

/// Settings of a drawn case.
pub struct Drawn {
    pub name: &'static str,
    pub policy: &'static str,
    /// Number of layers of prelude, core and coda.
    pub layers: [usize; 3],
    pub halted_keys_values: &'static str,
    pub lengths: &'static [usize],
    pub seed: u64,
}

pub struct Case {
    /// `weights.NAME`, `input.NAME`, `output.NAME` and `gradient.NAME`.
    pub tensors: BTreeMap<String, Tensor>,
    pub settings: Json,
    pub name: &'static str,
}

impl Case {
    /// A case computed by PyTorch.
    pub fn load(name: &'static str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/anira_reference");
        let tensors = safetensors::load(folder.join(format!("{name}.safetensors")), &Device::Cpu).unwrap();
        let settings = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        Self { tensors: tensors.into_iter().collect(), settings: serde_json::from_str(&settings).unwrap(), name }
    }

    /// A case with random weights and inputs, without outputs. Its numbers are f32, so that a model in f32 has the same
    /// ones.
    pub fn draw(drawn: &Drawn, catalogue: &Catalogue) -> Self {
        let [prelude, core, coda] = drawn.layers;
        let config = json!({
            "vocabulary": VOCABULARY, "d_model": 16, "d_ff": 24, "heads": 2, "prelude_layers": prelude,
            "core_layers": core, "coda_layers": coda, "max_depth": 4, "decider_width": 20, "policy": drawn.policy,
            "rms_norm_epsilon": 1e-5, "rope_theta": 10_000.0, "halted_keys_values": drawn.halted_keys_values,
        });
        let settings = json!({ "config": config, "gamma": 0.1, "base": 1.25 });
        let mut case = Self { tensors: BTreeMap::new(), settings, name: drawn.name };
        for (name, weight) in case.fresh(catalogue, DType::F64).variables.weights().unwrap() {
            let mut stream = Stream::new(drawn.seed, &name, &[]);
            let fan_in = (*weight.dims().last().unwrap() as f64).sqrt();
            let (centre, spread) = match (name.as_str(), weight.rank()) {
                ("decider.down.weight", _) => (0.0, 2.5 / fan_in),
                ("embed_tokens.weight", _) => (0.0, 1.0),
                (_, 2) => (0.0, fan_in.recip()),
                (bias, _) if bias.ends_with("bias") => (0.0, 0.2),
                _ => (1.0, 0.2),
            };
            let values = (0..weight.elem_count()).map(|_| (centre + spread * stream.normal()) as f32).collect();
            let values = Tensor::from_vec::<_, f32>(values, weight.shape(), &Device::Cpu).unwrap();
            case.tensors.insert(format!("weights.{name}"), values.to_dtype(DType::F64).unwrap());
        }
        let (mut stream, rows) = (Stream::new(drawn.seed, "inputs", &[]), drawn.lengths.iter().sum::<usize>());
        let lengths = drawn.lengths.iter().map(|length| *length as f64).collect();
        case.insert("input.lengths", lengths, &[drawn.lengths.len()]);
        for name in ["input.tokens", "input.targets"] {
            let tokens = (0..rows).map(|_| stream.below(VOCABULARY as u64) as f64).collect();
            case.insert(name, tokens, &[rows]);
        }
        let mask = (0..rows).map(|row| f64::from(u8::from(row == 0 || stream.uniform() < 0.5))).collect();
        case.insert("input.loss_mask", mask, &[rows]);
        let noise: Vec<f64> = match drawn.policy {
            "anira-e" => (0..4 * rows).map(|_| f64::from(stream.gumbel() as f32)).collect(),
            _ => (0..rows).map(|_| f64::from(stream.uniform() as f32)).collect(),
        };
        let count = noise.len();
        case.insert("input.noise", noise, &[count]);
        case
    }

    fn insert(&mut self, name: &str, values: Vec<f64>, shape: &[usize]) {
        self.tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    }

    /// Outputs and gradients of the slow unroll, under the names of a loaded case.
    pub fn unrolled(&self) -> Self {
        let weight = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix("weights.")?.to_owned(), Var::from_tensor(tensor).unwrap()))
        };
        let unroll = SlowUnroll {
            config: &self.settings["config"],
            gamma: self.settings["gamma"].as_f64().unwrap(),
            base: self.settings["base"].as_f64().unwrap(),
            weights: self.tensors.iter().filter_map(weight).collect(),
            lengths: self.integers("input.lengths").into_iter().map(|length| length as usize).collect(),
        };
        let mask = self.integers("input.loss_mask");
        let answers: Vec<u32> = (0..mask.len() as u32).filter(|row| mask[*row as usize] == 1).collect();
        let (tokens, targets) = (self.integers("input.tokens"), self.integers("input.targets"));
        let outcome = unroll.run(&tokens, &targets, &answers, &self.numbers("input.noise")).unwrap();
        let gradients = outcome.loss.backward().unwrap();
        let Outcome { depths, log_distribution, logits, cross_entropy, regulariser, loss } = outcome;
        let mut case = Self { tensors: self.tensors.clone(), settings: self.settings.clone(), name: self.name };
        let depths = Tensor::new(depths, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        for (name, tensor) in [
            ("depths", depths),
            ("distribution", log_distribution.exp().unwrap()),
            ("logits", logits),
            ("cross_entropy", cross_entropy),
            ("regulariser", regulariser),
            ("loss", loss),
        ] {
            case.tensors.insert(format!("output.{name}"), tensor.detach());
        }
        for (name, variable) in &unroll.weights {
            case.tensors.insert(format!("gradient.{name}"), gradients.get(variable).unwrap().detach());
        }
        case
    }

    pub fn numbers(&self, name: &str) -> Vec<f64> {
        numbers(&self.tensors[name])
    }

    pub fn integers(&self, name: &str) -> Vec<u32> {
        self.numbers(name).into_iter().map(|number| number as u32).collect()
    }

    /// Names of the weights.
    pub fn weights(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().filter_map(|name| name.strip_prefix("weights."))
    }

    /// The engine's model with initial weights.
    fn fresh(&self, catalogue: &Catalogue, dtype: DType) -> Model {
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
            recipe: policy.recipe,
            source: None,
            vocabulary: Vocabulary::new(config["vocabulary"].as_u64().unwrap() as usize),
            max_depth: config["max_depth"].as_u64().unwrap() as usize,
            halted_keys_values: HaltedKeysValues::from_name(config["halted_keys_values"].as_str().unwrap()).unwrap(),
            recompute: false,
            seed: 0,
        };
        Model::new(parts, dtype, &Device::Cpu).unwrap()
    }

    /// The engine's model with the case's weights.
    pub fn model(&self, catalogue: &Catalogue, dtype: DType) -> Model {
        let model = self.fresh(catalogue, dtype);
        let names: Vec<String> = model.variables.weights().unwrap().into_keys().collect();
        assert!(names.iter().eq(self.weights()), "{}: names of the weights", self.name);
        for name in names {
            model.variables.set(&name, &self.tensors[&format!("weights.{name}")]).unwrap();
        }
        model
    }

    pub fn batch(&self) -> Batch {
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

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}
