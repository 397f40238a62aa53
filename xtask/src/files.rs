//! Files and folders.

use std::fs;
use std::path::{Path, PathBuf};

/// Copies a file into a folder, which is created.
pub fn copy(file: &Path, folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: cannot be created: {error}", folder.display()))?;
    let copied = fs::copy(file, folder.join(file_name(file)));
    copied.map(drop).map_err(|error| format!("{}: cannot be copied to {}: {error}", file.display(), folder.display()))
}

/// The files in a folder, in the order of their names.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: cannot be read: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// The name of a file.
pub fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
