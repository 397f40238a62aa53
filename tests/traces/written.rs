//! Traces written byte by byte.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};

/// A tensor as stored in a file.
pub type Raw = (Dtype, Vec<usize>, Vec<u8>);

/// Numbers in f32, by their index.
pub fn floats(shape: &[usize], value: impl Fn(usize) -> f32) -> Raw {
    let count: usize = shape.iter().product();
    (Dtype::F32, shape.to_vec(), (0..count).flat_map(|index| value(index).to_le_bytes()).collect())
}

/// Whole numbers.
pub fn whole(values: &[i64]) -> Raw {
    (Dtype::I64, vec![values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// Numbers in f64.
pub fn doubles(shape: &[usize], values: &[f64]) -> Raw {
    assert_eq!(shape.iter().product::<usize>(), values.len());
    (Dtype::F64, shape.to_vec(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// The file of these tensors.
pub fn bytes(tensors: &BTreeMap<&str, Raw>, metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        ((*name).to_owned(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// The metadata of a trace.
pub const RIGHT: [(&str, &str); 2] = [("format", "haltbench-trace"), ("version", "1")];
