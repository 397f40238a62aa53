//! Builds plugins from their sources, wherever these lie.
//!
//! A plugin must be compiled against the very shared library that the program has loaded: cargo gives the same sources
//! other symbols in another workspace. So cargo builds the plugin as a workspace of its own (`manifest.rs`), without the
//! SDK among its dependencies, and the compiler is given the loaded library instead (`shared.rs`). Neither the suite's
//! sources nor its target folder is needed or changed, and a dependency of the plugin cannot alter the suite's.
//!
//! Each plugin has a folder below `build_folder`: the manifest, links to its files, cargo's target folder, and a copy
//! of each library that was built, under the hash of its code. A run that has begun keeps the copy that it began with.

mod cargo;
mod manifest;
mod shared;
mod source;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::elf::{hash_code, read_fingerprint};
use super::error::PluginError;
use cargo::{Artefact, Failed, Order};
pub(super) use cargo::{missing as missing_cargo, program as cargo_program};
use manifest::Manifest;
pub use manifest::Purpose;
pub(super) use shared::library as shared_library;
use shared::{Shared, build_folder};
pub use source::Source;

/// A plugin that was built, or was there already.
#[derive(Debug)]
pub struct Built {
    /// Name of its package.
    pub name: String,
    /// The library, or the program with its tests.
    pub file: PathBuf,
    /// Whether it was there already.
    pub is_fresh: bool,
    /// Seconds that cargo took.
    pub seconds: f64,
    /// The compiler's warnings.
    pub warnings: String,
}

/// Builds the plugin `source`, unless its library is newer than all its sources. Calls `slow` once with the name of the
/// package if it takes long.
///
/// # Errors
/// [`PluginError::Source`] if the manifest is wrong, [`PluginError::Compile`] if it does not compile,
/// [`PluginError::Toolchain`] if the compiler is missing or another one, [`PluginError::Static`] in a program without
/// the shared library.
pub fn build(source: &Source, purpose: Purpose, slow: &dyn Fn(&str)) -> Result<Built, PluginError> {
    let start = Instant::now();
    let shared = Shared::find()?;
    let manifest = read(source, purpose)?;
    let folder = lay_out(source, &manifest, purpose)?;
    let order = Order { folder: &folder, given: &manifest.given, shared: &shared, purpose };
    let artefact = cargo::build(&order, &|| slow(&manifest.name)).map_err(|failed| match failed {
        Failed::NoCargo(error) => error,
        Failed::Said(said) => failure(source, said),
    })?;
    let Artefact { file, is_fresh, warnings } = artefact;
    let file = match purpose {
        Purpose::Library => keep(&folder, &file)?,
        Purpose::Test => file,
    };
    Ok(Built { name: manifest.name, file, is_fresh, seconds: start.elapsed().as_secs_f64(), warnings })
}

/// Name and version of the package of `source`.
///
/// # Errors
/// [`PluginError::Source`] if its manifest is wrong.
pub fn package(source: &Source) -> Result<(String, String), PluginError> {
    read(source, Purpose::Library).map(|manifest| (manifest.name, manifest.version))
}

fn read(source: &Source, purpose: Purpose) -> Result<Manifest, PluginError> {
    let manifest = match source {
        Source::File(file) => manifest::of_file(file),
        Source::Crate(folder) => fs::read_to_string(folder.join("Cargo.toml"))
            .map_err(|error| format!("Cargo.toml: {error}"))
            .and_then(|text| manifest::of_crate(&text, folder, purpose)),
    };
    manifest.map_err(|message| PluginError::Source { path: source.path().to_owned(), message })
}

/// Makes the folder that cargo builds in: the manifest, and links to everything that lies beside the user's own.
fn lay_out(source: &Source, manifest: &Manifest, purpose: Purpose) -> Result<PathBuf, PluginError> {
    let identity = blake3::hash(source.path().as_os_str().as_encoded_bytes()).to_hex();
    let ending = if purpose == Purpose::Test { "-test" } else { "" };
    let folder = build_folder()?.join(format!("{}-{}{ending}", manifest.name, &identity[..8]));
    let made = || -> std::io::Result<()> {
        fs::create_dir_all(&folder)?;
        if let Source::Crate(own) = source {
            link(own, &folder)?;
            let lock = own.join("Cargo.lock");
            if lock.is_file() {
                write(&folder.join("Cargo.lock"), &fs::read(lock)?)?;
            }
        }
        write(&folder.join("Cargo.toml"), manifest.text.as_bytes())
    };
    made().map_err(|source| PluginError::Unwritable { file: folder.clone(), source })?;
    folder.canonicalize().map_err(|source| PluginError::Unwritable { file: folder.clone(), source })
}

/// Links to every entry of the crate that cargo may read, and to no other.
fn link(own: &Path, folder: &Path) -> std::io::Result<()> {
    let is_source = |name: &str| !name.starts_with('.') && !["Cargo.toml", "Cargo.lock", "target"].contains(&name);
    for entry in fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
        if entry.is_symlink() && !entry.file_name().is_some_and(|name| own.join(name).exists()) {
            fs::remove_file(entry)?;
        }
    }
    for name in fs::read_dir(own)?.flatten().map(|entry| entry.file_name()) {
        if !name.to_str().is_some_and(is_source) {
            continue;
        }
        match symlink(own.join(&name), folder.join(&name)) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    Ok(())
}

/// Writes a file in one step, unless it has these contents already.
fn write(file: &Path, contents: &[u8]) -> std::io::Result<()> {
    if fs::read(file).is_ok_and(|found| found == contents) {
        return Ok(());
    }
    let new = file.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, contents)?;
    fs::rename(new, file)
}

/// Copies the library to a folder called after the hash of its code.
fn keep(folder: &Path, library: &Path) -> Result<PathBuf, PluginError> {
    // Cargo may be building it again for another process.
    read_fingerprint(library)?;
    let place = folder.join(hash_code(library)?);
    let copy = place.join(library.file_name().unwrap_or_default());
    if !copy.is_file() {
        let copied = || -> std::io::Result<()> {
            fs::create_dir_all(&place)?;
            write(&copy, &fs::read(library)?)
        };
        copied().map_err(|source| PluginError::Unwritable { file: copy.clone(), source })?;
    }
    Ok(copy)
}

/// The error for what cargo and the compiler said.
fn failure(source: &Source, said: String) -> PluginError {
    if said.contains("E0514") {
        let built_with = haltbench_sdk::fingerprint::own_fields().into_iter().find(|(name, _)| name == "rustc");
        let version = built_with.map(|(_, value)| value).unwrap_or_default();
        let message = format!(
            "the compiler here is another one than this program was built with, which is rustc {version}; install that \
             version, for example with `rustup toolchain install {}`, or build the suite again",
            version.split(' ').next().unwrap_or_default()
        );
        return PluginError::Toolchain { message };
    }
    PluginError::Compile { path: source.path().to_owned(), said }
}
