//! The layout of a trace: one safetensors file with tensors of known names.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use haltbench_sdk::names::nearest;
use safetensors::tensor::{Dtype, TensorInfo};

use crate::error::{Error, Result};
use crate::safetensors_header;

/// Value of the metadata key `format`.
pub const FORMAT: &str = "haltbench-trace";
/// Value of the metadata key `version`.
pub const VERSION: &str = "1";
/// Names of single tensors.
const NAMES: [&str; 6] = ["lengths", "states", "logits", "targets", "positions", "identities"];
/// Prefix of the names of complexity tensors, of which there may be several.
pub const COMPLEXITY: &str = "complexity.";
/// Prefix of the names of a policy's weights.
pub const POLICY: &str = "policy.";

/// The place of a tensor in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Type of its numbers.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it begins, in bytes from the start of the file.
    pub start: u64,
}

/// Bytes of a number.
pub fn width(dtype: Dtype) -> u64 {
    if dtype == Dtype::F32 { 4 } else { 8 }
}

/// Header of a file.
pub struct Header {
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its tensors by name.
    pub places: BTreeMap<String, Place>,
}

/// Reads the header of the file `file`, which is at `path`, and checks that the file is complete.
pub fn read_header(file: &mut File, path: &Path) -> Result<Header> {
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let safetensors_header::Header { metadata: header, start: begin } = safetensors_header::read(file, path)?;
    let metadata: BTreeMap<String, String> = header.metadata().clone().into_iter().flatten().collect();
    for (key, expected) in [("format", FORMAT), ("version", VERSION)] {
        let found = metadata.get(key).map_or_else(|| "no such key".to_owned(), |found| format!("`{found}`"));
        if metadata.get(key).is_none_or(|found| found != expected) {
            return Err(damaged(format!("metadata key `{key}`: expected `{expected}`, found {found}")));
        }
    }
    let tensors: BTreeMap<String, &TensorInfo> = header.tensors().into_iter().collect();
    let mut places = BTreeMap::new();
    for (name, info) in &tensors {
        check_name(name).and_then(|()| check_type(name, info.dtype)).map_err(damaged)?;
        let start = begin.saturating_add(info.data_offsets.0 as u64);
        places.insert(name.clone(), Place { dtype: info.dtype, shape: info.shape.clone(), start });
    }
    let end = begin.saturating_add(check_offsets(&tensors).map_err(damaged)? as u64);
    let length = file.metadata().map_err(Error::file(path, "cannot be read"))?.len();
    if length != end {
        return Err(damaged(format!("expected {end} bytes, as its header says, found {length}")));
    }
    Ok(Header { metadata, places })
}

/// Checks that the tensors' bytes are contiguous; returns their end.
fn check_offsets(tensors: &BTreeMap<String, &TensorInfo>) -> Result<usize, String> {
    let mut ordered: Vec<(&String, &&TensorInfo)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0_usize;
    for (name, info) in ordered {
        let (from, to) = info.data_offsets;
        let count = info.shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
        let bytes = count.and_then(|count| count.checked_mul(width(info.dtype) as usize));
        if from != end || bytes.and_then(|bytes| from.checked_add(bytes)) != Some(to) {
            let shape = &info.shape;
            return Err(format!(
                "tensor `{name}`: expected {shape:?} numbers from byte {end} on, found bytes {from} to {to}"
            ));
        }
        end = to;
    }
    Ok(end)
}

fn check_name(name: &str) -> Result<(), String> {
    if NAMES.contains(&name) || name.starts_with(COMPLEXITY) || name.starts_with(POLICY) {
        return Ok(());
    }
    let near = nearest(name, NAMES).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("unknown tensor `{name}`{near} (there are {}, {COMPLEXITY}NAME and {POLICY}NAME)", NAMES.join(", ")))
}

fn check_type(name: &str, dtype: Dtype) -> Result<(), String> {
    let is_whole = ["lengths", "targets", "positions", "identities"].contains(&name);
    match (is_whole, dtype) {
        (true, Dtype::I64) | (false, Dtype::F32 | Dtype::F64) => Ok(()),
        (true, found) => Err(format!("tensor `{name}`: expected I64, found {found:?}")),
        (false, found) => Err(format!("tensor `{name}`: expected F32 or F64, found {found:?}")),
    }
}
