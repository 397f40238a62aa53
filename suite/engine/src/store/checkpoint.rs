//! Checkpoints: weights, moments and the step in one file that carries its own hash.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use super::atomic::write_atomic;
use crate::error::{Error, Result};
use crate::files;
use crate::safetensors_header;

/// Most bytes of a checkpoint.
const LARGEST: u64 = 1 << 36;

/// A training state from which a model's training can be resumed.
pub struct Checkpoint {
    /// Identifier of the model.
    pub model: String,
    /// Optimiser steps taken.
    pub step: u64,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

fn bytes_of(tensor: &Tensor) -> Result<(Dtype, Vec<usize>, Vec<u8>)> {
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    let shape = tensor.dims().to_vec();
    if tensor.dtype() == DType::F64 {
        let values: Vec<f64> = flat.to_vec1()?;
        return Ok((Dtype::F64, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()));
    }
    let values: Vec<f32> = flat.to_dtype(DType::F32)?.to_vec1()?;
    Ok((Dtype::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
}

fn serialise(path: &Path, checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let Checkpoint { model, step, tensors } = checkpoint;
    let mut data = BTreeMap::new();
    let mut hasher = hasher(model, *step);
    for (name, tensor) in tensors {
        let (dtype, shape, bytes) = bytes_of(tensor)?;
        hasher.update(name.as_bytes());
        hasher.update(&bytes);
        data.insert(name.clone(), (dtype, shape, bytes));
    }
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let mut views = Vec::with_capacity(data.len());
    for (name, (dtype, shape, bytes)) in &data {
        let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| damaged(error.to_string()))?;
        views.push((name.clone(), view));
    }
    // One entry, so that the order of a hash map cannot reach the file.
    let identity = format!("{model} {step} {}", hasher.finalize().to_hex());
    let metadata = [("haltbench".to_owned(), identity)].into_iter().collect();
    safetensors::serialize(views, Some(metadata)).map_err(|error| damaged(error.to_string()))
}

/// Writes a training state.
///
/// # Errors
/// [`Error::File`] naming the path.
pub fn write_checkpoint(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    write_atomic(path, &serialise(path, checkpoint)?)
}

/// Reads a training state of the model `model` and verifies its hash; `None` if there is none.
///
/// # Errors
/// [`Error::Damaged`] with the failed check, or the other model that it belongs to.
pub fn read_checkpoint(path: &Path, model: &str) -> Result<Option<Checkpoint>> {
    match files::open(path) {
        Ok((file, _)) => safetensors_header::check(file, path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(path, "cannot be read")(error)),
    }
    let bytes = files::read(path, LARGEST).map_err(Error::file(path, "cannot be read"))?;
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let identity = header.metadata().as_ref().and_then(|metadata| metadata.get("haltbench"));
    let identity = identity.ok_or_else(|| damaged("it carries no hash".to_owned()))?;
    let [of, step, recorded] = identity.split(' ').collect::<Vec<_>>()[..] else {
        return Err(damaged("it does not name its model and step".to_owned()));
    };
    if of != model {
        return Err(damaged(format!("it is of model {of}")));
    }
    let step: u64 = step.parse().map_err(|_| damaged("it carries no step".to_owned()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let views: BTreeMap<String, TensorView> = file.tensors().into_iter().collect();
    let mut hasher = hasher(model, step);
    let mut tensors = BTreeMap::new();
    for (name, view) in views {
        hasher.update(name.as_bytes());
        hasher.update(view.data());
        tensors.insert(name.clone(), tensor_of(&view).map_err(|error| damaged(format!("{name}: {error}")))?);
    }
    let found = hasher.finalize().to_hex().to_string();
    if found != recorded {
        return Err(damaged(format!("the hash of its tensors is {found}, recorded is {recorded}")));
    }
    Ok(Some(Checkpoint { model: model.to_owned(), step, tensors }))
}

fn hasher(model: &str, step: u64) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.as_bytes());
    hasher.update(&step.to_le_bytes());
    hasher
}

fn tensor_of(view: &TensorView) -> haltbench_sdk::candle_core::Result<Tensor> {
    let dtype = if view.dtype() == Dtype::F64 { DType::F64 } else { DType::F32 };
    Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
}

/// Writes the weights of a finished model, and the configuration that other programs need to load them.
///
/// # Errors
/// [`Error::File`] naming the path.
pub fn write_model(folder: &Path, model: &Checkpoint, configuration: &Value) -> Result<()> {
    let path = folder.join("weights.safetensors");
    write_checkpoint(&path, model)?;
    let text = serde_json::to_string_pretty(configuration).map_err(|error| Error::Cell(format!("config: {error}")))?;
    write_atomic(&folder.join("config.json"), format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MODEL: &str = "0123456789abcdef";

    fn example() -> Checkpoint {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let tensors = [("b".to_owned(), tensor(&[1.0, -2.5])), ("a".to_owned(), tensor(&[0.25]))];
        Checkpoint { model: MODEL.to_owned(), step: 7, tensors: tensors.into_iter().collect() }
    }

    #[test]
    fn comes_back_as_it_was_and_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.safetensors");
        assert!(read_checkpoint(&path, MODEL).unwrap().is_none());
        write_checkpoint(&path, &example()).unwrap();
        let first = fs::read(&path).unwrap();
        let read = read_checkpoint(&path, MODEL).unwrap().unwrap();
        assert_eq!((read.step, read.tensors["b"].to_vec1::<f32>().unwrap()), (7, vec![1.0, -2.5]));
        write_checkpoint(&path, &read).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }

    #[test]
    fn of_another_cell_is_refused_and_so_is_one_that_was_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.safetensors");
        write_checkpoint(&path, &example()).unwrap();
        let other = "fedcba9876543210";
        let refused = |cell: &str| read_checkpoint(&path, cell).err().unwrap().to_string();
        assert!(refused(other).ends_with("damaged: it is of model 0123456789abcdef"), "{}", refused(other));
        let bytes = fs::read(&path).unwrap();
        let place = bytes.windows(16).position(|window| window == MODEL.as_bytes()).unwrap();
        let renamed = [&bytes[..place], other.as_bytes(), &bytes[place + 16..]].concat();
        fs::write(&path, renamed).unwrap();
        assert!(refused(other).contains("damaged: the hash of its tensors is"), "{}", refused(other));
    }

    #[test]
    fn any_changed_byte_and_any_truncation_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training.safetensors");
        write_checkpoint(&path, &example()).unwrap();
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            fs::write(&path, &damaged).unwrap();
            // A changed space of the header's padding may leave everything that matters as it was.
            if let Ok(Some(read)) = read_checkpoint(&path, MODEL) {
                assert_eq!((read.step, read.tensors.len()), (7, 2), "byte {index}");
                assert_eq!(read.tensors["b"].to_vec1::<f32>().unwrap(), [1.0, -2.5], "byte {index}");
            }
            fs::write(&path, &whole[..index]).unwrap();
            assert!(read_checkpoint(&path, MODEL).is_err(), "cut at {index}");
        }
    }
}
