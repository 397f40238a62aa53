//! The licences of everything that is part of the program.

use std::path::Path;

use crate::cargo;
use crate::files::{copy, file_name, files};

/// Files of a crate that state its licence begin with one of these, in any case.
const NAMES: [&str; 5] = ["license", "licence", "copying", "copyright", "notice"];

/// Copies the licences of all crates in the program, and of the standard library, to folders of their names. Writes
/// nothing for a crate without such a file: its manifest names the licence.
///
/// # Errors
/// If a file cannot be copied.
pub fn collect(libraries: &Path, out: &Path) -> Result<(), String> {
    for package in cargo::packages_of("haltbench")?.iter().filter(|package| package.is_foreign) {
        for file in files(&package.folder)?.iter().filter(|file| is_licence(file)) {
            copy(file, &out.join(format!("{}-{}", package.name, package.version)))?;
        }
    }
    // SYSROOT/lib/rustlib/TARGET/lib is where the compiler keeps its libraries.
    let documents = libraries.ancestors().nth(4).map(|sysroot| sysroot.join("share/doc/rust"));
    for folder in documents.into_iter().filter(|folder| folder.is_dir()) {
        for file in files(&folder)?.iter().filter(|file| is_licence(file)) {
            copy(file, &out.join("rust"))?;
        }
    }
    Ok(())
}

fn is_licence(file: &Path) -> bool {
    let name = file_name(file).to_lowercase();
    NAMES.iter().any(|start| name.starts_with(start))
}
