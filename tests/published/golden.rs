//! A file of golden numbers: NAME.json, which describes it, and NAME.safetensors.
//!
//! A tensor's name begins with its role: `input.` was fed to the published code, `weight.` are its parameters by its own
//! names, `expected.` is what it computed, `derived.` is arithmetic on that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use haltbench_sdk::candle_core::{DType, Device, Tensor, safetensors};
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
        let tensors = safetensors::load(path.with_extension("safetensors"), &Device::Cpu).unwrap();
        // Weights and inputs are f32 numbers, of which the published code computed in f64.
        let wide = tensors.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(DType::F64).unwrap()));
        Self { name: name.to_owned(), json, tensors: wide.collect() }
    }

    /// A tensor in f64, by its name with its role.
    pub fn tensor(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).clone()
    }

    /// A tensor of whole numbers, row after row.
    pub fn integers(&self, name: &str) -> Vec<u32> {
        let numbers: Vec<f64> = self.tensor(name).flatten_all().unwrap().to_vec1().unwrap();
        numbers.into_iter().map(|number| number as u32).collect()
    }

    /// The parameters of the published code, by its own names.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("weight.")?, tensor)))
    }

    /// A size in the configuration that was run.
    pub fn size(&self, name: &str) -> usize {
        self.number(name) as usize
    }

    /// A number in the configuration that was run; parts of a path are divided by `/`.
    pub fn number(&self, name: &str) -> f64 {
        let found = name.split('/').fold(&self.json["config"], |value, part| &value[part]);
        found.as_f64().unwrap_or_else(|| panic!("{}: no number {name}", self.name))
    }

    /// Demands that the numbers are those of the tensor `expected`, to the tolerance of the file in f64.
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
