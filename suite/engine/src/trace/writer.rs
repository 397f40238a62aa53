//! Writes a trace piece by piece, so that a file may be larger than memory.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};

use super::format::{FORMAT, Place, VERSION, width};
use crate::error::{Error, Result};

/// The numbers of a tensor as bytes of the file.
fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::I64 => flat.to_vec1::<i64>()?.into_iter().flat_map(i64::to_le_bytes).collect(),
        DType::F64 => flat.to_vec1::<f64>()?.into_iter().flat_map(f64::to_le_bytes).collect(),
        _ => flat.to_dtype(DType::F32)?.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect(),
    })
}

/// The type of a tensor in the file.
fn type_of(dtype: DType) -> Dtype {
    match dtype {
        DType::I64 => Dtype::I64,
        DType::F64 => Dtype::F64,
        _ => Dtype::F32,
    }
}

/// A trace that is being written, to a temporary file beside the final one.
pub struct TraceWriter {
    path: PathBuf,
    sibling: PathBuf,
    file: File,
    places: BTreeMap<String, Place>,
    is_finished: bool,
}

impl TraceWriter {
    /// Begins the trace `path` with room for `tensors` of these types, f32, f64 or i64, and shapes. `metadata` are
    /// added to the keys of the format.
    ///
    /// # Errors
    /// [`Error::File`] naming the path.
    pub fn create(
        path: &Path,
        metadata: &BTreeMap<String, String>,
        tensors: &BTreeMap<String, (DType, Vec<usize>)>,
    ) -> Result<Self> {
        let mut entries = Map::new();
        let mut named: Map<String, Value> = metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        named.insert("format".to_owned(), json!(FORMAT));
        named.insert("version".to_owned(), json!(VERSION));
        entries.insert("__metadata__".to_owned(), Value::Object(named));
        let mut places = BTreeMap::new();
        let mut end = 0;
        // Wider types first, so that all numbers are aligned.
        let mut ordered: Vec<_> = tensors.iter().map(|(name, (dtype, shape))| (type_of(*dtype), name, shape)).collect();
        ordered.sort_by_key(|(dtype, name, _)| (std::cmp::Reverse(width(*dtype)), *name));
        for (dtype, name, shape) in ordered {
            let (start, dtype_name) = (end, format!("{dtype:?}"));
            end += shape.iter().product::<usize>() as u64 * width(dtype);
            let entry = json!({ "dtype": dtype_name, "shape": shape, "data_offsets": [start, end] });
            entries.insert(name.clone(), entry);
            places.insert(name.clone(), Place { dtype, shape: shape.clone(), start });
        }
        let mut header = Value::Object(entries).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let before = 8 + header.len() as u64;
        places.values_mut().for_each(|place| place.start += before);
        let mut sibling = path.file_name().unwrap_or_default().to_os_string();
        sibling.push(".new");
        let sibling = path.with_file_name(sibling);
        let open = OpenOptions::new().create(true).truncate(true).write(true).open(&sibling);
        let file = open.map_err(Error::file(path, "cannot be written"))?;
        let writer = Self { path: path.to_owned(), sibling, file, places, is_finished: false };
        let begin = || {
            writer.file.set_len(before + end)?;
            writer.file.write_all_at(&(header.len() as u64).to_le_bytes(), 0)?;
            writer.file.write_all_at(&header, 8)
        };
        begin().map_err(Error::file(path, "cannot be written"))?;
        Ok(writer)
    }

    /// Writes the numbers of `tensor` into the tensor `name`, from index `first` on.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::Usage`] if there is no room for them.
    pub fn write(&self, name: &str, first: usize, tensor: &Tensor) -> Result<()> {
        let place = self.places.get(name).filter(|place| {
            let room: usize = place.shape.iter().product();
            place.dtype == type_of(tensor.dtype()) && first + tensor.elem_count() <= room
        });
        let Some(place) = place else {
            return Err(Error::Usage(format!("{}: no room was made for `{name}`", self.path.display())));
        };
        let start = place.start + first as u64 * width(place.dtype);
        let written = self.file.write_all_at(&bytes_of(tensor)?, start);
        written.map_err(Error::file(&self.path, "cannot be written"))
    }

    /// Renames the complete file to its final name.
    ///
    /// # Errors
    /// [`Error::File`] naming the path.
    pub fn finish(mut self) -> Result<()> {
        let finish = || self.file.sync_all().and_then(|()| fs::rename(&self.sibling, &self.path));
        finish().map_err(Error::file(&self.path, "cannot be written"))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // An incomplete file is useless.
            let _ = fs::remove_file(&self.sibling);
        }
    }
}
