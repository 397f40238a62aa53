//! What a plugin is built from: a crate, or a single file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::plugins::error::{PluginError, inaccessible};

/// A plugin's sources, with absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder with a `Cargo.toml`.
    Crate(PathBuf),
    /// A single file of Rust.
    File(PathBuf),
}

impl Source {
    /// The sources at `path`; `None` for any other file, such as a library.
    ///
    /// # Errors
    /// If nothing is there, or a folder without `Cargo.toml`.
    pub fn at(path: &Path) -> Result<Option<Self>, PluginError> {
        let real = path.canonicalize().map_err(|error| inaccessible(path, error))?;
        if real.is_dir() {
            if real.join("Cargo.toml").is_file() {
                return Ok(Some(Self::Crate(real)));
            }
            return Err(PluginError::Source { path: path.to_owned(), message: without_manifest(&real) });
        }
        Ok((real.extension().is_some_and(|extension| extension == "rs")).then_some(Self::File(real)))
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Crate(path) | Self::File(path) => path,
        }
    }
}

/// What is wrong with a folder that has no manifest, and what may have been meant.
fn without_manifest(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut likely: Vec<String> = entries
        .filter(|path| path.join("Cargo.toml").is_file() || path.extension().is_some_and(|end| end == "rs"))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    likely.sort();
    let near = match likely.len() {
        0 => "; `haltbench plugin new` writes a crate".to_owned(),
        _ => format!("; it holds {}", likely.join(", ")),
    };
    format!("expected a crate with a Cargo.toml, a file of Rust or a library, found a folder without Cargo.toml{near}")
}
