//! The layout of a trace: one safetensors file with tensors of known names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use haltbench_sdk::names::nearest;
use safetensors::tensor::{Dtype, SafeTensors, TensorInfo};

use crate::error::{Error, Result};

/// What the metadata key `format` says.
pub const FORMAT: &str = "haltbench-trace";
/// What the metadata key `version` says.
pub const VERSION: &str = "1";
/// Names of single tensors.
const NAMES: [&str; 6] = ["lengths", "states", "logits", "targets", "positions", "identities"];
/// Beginnings of the names of tensors of which there may be several.
pub const COMPLEXITY: &str = "complexity.";
/// The same for the weights of a policy.
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

/// What a file says of itself.
pub struct Header {
    /// Its metadata.
    pub metadata: BTreeMap<String, String>,
    /// Its tensors by name.
    pub places: BTreeMap<String, Place>,
}

/// Reads the header of the file `file`, which is at `path`, and makes sure that the file is whole.
pub fn read_header(file: &mut File, path: &Path) -> Result<Header> {
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let unreadable = || Error::file(path, "cannot be read");
    let length = file.metadata().map_err(unreadable())?.len();
    let mut start = [0; 8];
    if length < 8 {
        return Err(damaged(format!("expected a safetensors file, found {length} bytes")));
    }
    file.read_exact(&mut start).map_err(unreadable())?;
    let size = u64::from_le_bytes(start);
    if size > length - 8 {
        let message =
            format!("expected a safetensors file with a header of {size} bytes, found {} more bytes", length - 8);
        return Err(damaged(message));
    }
    let mut bytes = start.to_vec();
    bytes.resize(8 + size as usize, 0);
    file.read_exact(&mut bytes[8..]).map_err(unreadable())?;
    let (_, header) = SafeTensors::read_metadata(&bytes)
        .map_err(|error| damaged(format!("expected the header of a safetensors file: {error}")))?;
    let expected = 8 + size + header.data_len() as u64;
    if length != expected {
        return Err(damaged(format!("expected {expected} bytes, as its header says, found {length}")));
    }
    let metadata: BTreeMap<String, String> = header.metadata().clone().into_iter().flatten().collect();
    for (key, expected) in [("format", FORMAT), ("version", VERSION)] {
        let found = metadata.get(key).map_or("no such key", String::as_str);
        if found != expected {
            return Err(damaged(format!("metadata key `{key}`: expected `{expected}`, found `{found}`")));
        }
    }
    let place = |(name, info): (String, &TensorInfo)| {
        let start = 8 + size + info.data_offsets.0 as u64;
        (name, Place { dtype: info.dtype, shape: info.shape.clone(), start })
    };
    let places: BTreeMap<String, Place> = header.tensors().into_iter().map(place).collect();
    for (name, place) in &places {
        check_name(name).and_then(|()| check_type(name, place.dtype)).map_err(damaged)?;
    }
    Ok(Header { metadata, places })
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
