//! A file of golden numbers: NAME.json, which describes it, and NAME.safetensors.
//!
//! A tensor's name begins with its role: `input.` was fed to the published code, `weight.` are its parameters under its
//! own names, `expected.` are its results, `derived.` is computed from the results.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use haltbench_sdk::candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// One file.
pub struct Golden {
    pub name: String,
    json: Value,
    tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    /// All files whose names begin with `form`, at least one.
    pub fn all(form: &str) -> Vec<Self> {
        let folder = folder();
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .filter(|name| name.starts_with(form))
            .collect();
        names.sort();
        assert!(!names.is_empty(), "{}: no file begins with {form}", folder.display());
        names.iter().map(|name| Self::load(name)).collect()
    }

    fn load(name: &str) -> Self {
        let path = folder().join(name);
        let text = fs::read_to_string(path.with_extension("json")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = fs::read(path.with_extension("safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let tensors = file.iter().map(|(name, view)| {
            let (shape, data) = (view.shape(), view.data());
            // Weights and inputs are f32 numbers, with which the published code computed in f64.
            let numbers: Vec<f64> = match view.dtype() {
                Dtype::BOOL => data.iter().map(|byte| f64::from(*byte)).collect(),
                Dtype::I64 => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
                Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
                Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
                dtype => panic!("{name}: unexpected {dtype:?}"),
            };
            (name.to_owned(), Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap())
        });
        Self { name: name.to_owned(), json, tensors: tensors.collect() }
    }

    /// Whether a tensor with this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The numbers of a tensor, row by row.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.tensor(name).flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The configuration of the run.
    pub fn config(&self) -> &Value {
        &self.json["config"]
    }

    /// Asserts that numbers are the expected ones, within the file's f64 tolerance.
    pub fn near(&self, what: &str, found: &[f64], expected: &[f64]) {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
        self.close(what, &tensor(found), &tensor(expected));
    }

    /// A tensor in f64, by its full name.
    pub fn tensor(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).clone()
    }

    /// An integer tensor, row by row.
    pub fn integers(&self, name: &str) -> Vec<u32> {
        let numbers: Vec<f64> = self.tensor(name).flatten_all().unwrap().to_vec1().unwrap();
        numbers.into_iter().map(|number| number as u32).collect()
    }

    /// The parameters of the published code, under its own names.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("weight.")?, tensor)))
    }

    /// A size in the configuration of the run.
    pub fn size(&self, name: &str) -> usize {
        self.number(name) as usize
    }

    /// A number in the configuration of the run; `/` separates the parts of a path.
    pub fn number(&self, name: &str) -> f64 {
        let found = name.split('/').fold(&self.json["config"], |value, part| &value[part]);
        found.as_f64().unwrap_or_else(|| panic!("{}: no number {name}", self.name))
    }

    /// Asserts that the numbers equal those of the tensor `expected`, within the file's f64 tolerance.
    pub fn close(&self, what: &str, found: &Tensor, expected: &Tensor) {
        let tolerance = self.json["tolerance"]["float64"].as_f64().unwrap();
        let numbers = |tensor: &Tensor| -> Vec<f64> { tensor.flatten_all().unwrap().to_vec1().unwrap() };
        let (found, expected) = (numbers(found), numbers(expected));
        assert_eq!(found.len(), expected.len(), "{}: {what}", self.name);
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
            assert!(near, "{}: {what}[{place}]: {found} against {expected}", self.name);
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("published/fixtures")
}
