//! The shared library that this process runs on, and where what is built against it goes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::plugins::elf::hash_code;
use crate::plugins::error::PluginError;

/// File name of the shared library.
const NAME: &str = "libhaltbench_sdk_dylib.so";

/// Where a distribution keeps the compiler's descriptions of the crates in the shared library, beside it.
const DESCRIPTIONS: &str = "haltbench/sdk";

/// The shared library that this process has loaded.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The library.
    pub file: PathBuf,
    /// Folders with the compiler's descriptions of the crates in it.
    pub folders: Vec<PathBuf>,
    /// The standard library that this process has loaded.
    pub standard: Option<PathBuf>,
    /// Hash of the shared library's code and constants.
    pub code: String,
}

impl Shared {
    /// Finds the library in this process's memory map: a plugin must be built against this file and no other.
    ///
    /// # Errors
    /// [`PluginError::Static`] if everything is linked into the program; [`PluginError::Toolchain`] if the file has
    /// been replaced since the program started.
    pub fn find() -> Result<Self, PluginError> {
        let file = library().ok_or(PluginError::Static)?;
        if let Some(file) = file.to_str().and_then(|file| file.strip_suffix(" (deleted)")) {
            let message = format!("{file} was replaced while this program was running; start it again");
            return Err(PluginError::Toolchain { message });
        }
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        // Cargo links the library in `deps` beside the program too, and `cargo run` lets the program find that link.
        let places = [folder.clone(), folder.join("deps"), folder.join(DESCRIPTIONS)];
        let folders = places.into_iter().filter(|folder| folder.is_dir());
        let standard = mapped("libstd-");
        Ok(Self { folders: folders.collect(), standard, code: hash_code(&file)?, file })
    }
}

/// The shared library that this process has loaded; `None` if everything is linked into the program.
pub fn library() -> Option<PathBuf> {
    mapped(NAME)
}

/// The first file in this process's memory map whose name begins with `name`.
fn mapped(name: &str) -> Option<PathBuf> {
    let map = fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = map.lines().filter_map(|line| line.find('/').map(|start| Path::new(&line[start..])));
    let is_named = |file: &Path| file.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name));
    files.find(|file| is_named(file)).map(Path::to_owned)
}

/// The environment variable with the folder that plugins are built in.
pub const BUILD_VARIABLE: &str = "HALTBENCH_BUILD";

/// The folder of plugins that are built from their sources: the one that the user names in [`BUILD_VARIABLE`];
/// otherwise `plugins` in cargo's target folder if the program lies in one, or `haltbench/plugins` in the user's folder
/// for caches. The program never searches it for plugins.
///
/// # Errors
/// [`PluginError::Toolchain`] if the user has no such folder.
pub fn build_folder() -> Result<PathBuf, PluginError> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable(BUILD_VARIABLE) {
        return Ok(folder);
    }
    let program = env::current_exe().ok();
    // `target/debug/haltbench`, or a test in `target/debug/deps`.
    let folders = program.iter().flat_map(|program| program.ancestors().skip(1).take(3));
    if let Some(target) = folders.into_iter().find(|folder| folder.join("CACHEDIR.TAG").is_file()) {
        return Ok(target.join("plugins"));
    }
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("haltbench/plugins")).ok_or_else(|| PluginError::Toolchain {
        message: format!("no folder to build in: set {BUILD_VARIABLE} to one"),
    })
}
