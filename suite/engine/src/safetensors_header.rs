//! The header of a safetensors file, read before its tensors: a file of a few bytes can claim any length, and a header can
//! claim more bytes than the memory has.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::Metadata;

use crate::error::{Error, Result};

/// Most bytes of a header, the limit of the format's own library.
const LARGEST: u64 = 100_000_000;

/// The header of a file.
pub struct Header {
    /// Names, types, shapes and places of the tensors.
    pub metadata: Metadata,
    /// Bytes before the first tensor.
    pub start: u64,
}

/// Reads the header of `file`, which is at `path` and at its start.
///
/// # Errors
/// [`Error::File`], or [`Error::Damaged`] if it is no header, or larger than the file or than any header may be.
pub fn read(file: &mut File, path: &Path) -> Result<Header> {
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let unreadable = || Error::file(path, "cannot be read");
    let length = file.metadata().map_err(unreadable())?.len();
    let mut size = [0; 8];
    if length < 8 {
        return Err(damaged(format!("expected a safetensors file, found {length} bytes")));
    }
    file.read_exact(&mut size).map_err(unreadable())?;
    let size = u64::from_le_bytes(size);
    let rest = length - 8;
    if size > rest {
        return Err(damaged(format!(
            "expected a safetensors file with a header of {size} bytes, found {rest} more bytes"
        )));
    }
    if size > LARGEST {
        return Err(damaged(format!(
            "expected a safetensors file with a header of at most {LARGEST} bytes, found one of {size}"
        )));
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact(&mut bytes).map_err(unreadable())?;
    let metadata: Metadata = serde_json::from_slice(&bytes)
        .map_err(|error| damaged(format!("expected the header of a safetensors file: {error}")))?;
    Ok(Header { metadata, start: 8 + size })
}

/// Checks that `file`, which is at `path` and at its start, is as long as its header says.
///
/// # Errors
/// Like [`read`].
pub fn check(mut file: File, path: &Path) -> Result<()> {
    let Header { metadata, start } = read(&mut file, path)?;
    let length = file.metadata().map_err(Error::file(path, "cannot be read"))?.len();
    let expected = start.saturating_add(metadata.data_len() as u64);
    if length == expected {
        return Ok(());
    }
    let message = format!("expected {expected} bytes, as its header says, found {length}");
    Err(Error::Damaged { path: path.to_owned(), message })
}
