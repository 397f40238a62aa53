//! Where a library comes from: cargo writes a file with the sources beside each library that it builds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml::{Table, Value};

/// The workspace that this program was built in.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The crate that a library was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the package.
    pub package: String,
    /// Its sources that cargo recorded, those that no longer exist among them.
    pub sources: Vec<PathBuf>,
}

/// The crate of a library that the suite's workspace built; `None` if nothing is known about it, because it was
/// installed or copied.
///
/// # Errors
/// What is missing, if the crate has been removed or renamed since.
pub fn origin(library: &Path) -> Result<Option<Origin>, String> {
    let sources = own_sources(library);
    let Some(first) = sources.first() else { return Ok(None) };
    if !first.is_file() {
        return Err(format!("{} does not exist", first.display()));
    }
    let Some(folder) = first.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file()) else {
        return Err(format!("no Cargo.toml above {}", first.display()));
    };
    // An isolated process may not read the manifest; its run has done so.
    let Some(manifest) = manifest(folder) else { return Ok(None) };
    let name = |table: &str| manifest.get(table).and_then(|table| table.get("name")).and_then(Value::as_str);
    let package = name("package").unwrap_or_default().to_owned();
    let stem = library.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let crate_name = name("lib").map_or_else(|| package.replace('-', "_"), str::to_owned);
    if stem.strip_prefix("lib") != Some(&crate_name) {
        return Err(format!("{} is now the crate {crate_name}", folder.display()));
    }
    Ok(Some(Origin { package, sources }))
}

/// The manifest in a folder, if it can be read.
fn manifest(folder: &Path) -> Option<Table> {
    toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).ok()?).ok()
}

/// The workspace that the library lies in, or else the one that this program was built in, if it is still there.
pub(super) fn workspace(library: &Path) -> Option<PathBuf> {
    // Libraries lie side by side, and every one of them is asked about several times.
    static KNOWN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = library.parent()?;
    if let Some(root) = known.get(folder) {
        return Some(root.clone());
    }
    let nearby = folder.ancestors().take(4).map(Path::to_owned);
    let mut all = nearby.chain([PathBuf::from(WORKSPACE)]);
    let found = all.find(|root| root.join("Cargo.lock").is_file() && root.join("suite/sdk/Cargo.toml").is_file())?;
    let root = found.canonicalize().ok()?;
    known.insert(folder.to_owned(), root.clone());
    Some(root)
}

/// The sources that cargo recorded for a library or program.
pub(super) fn sources(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let is_library = stem.starts_with("lib");
    if is_library { own_sources(file) } else { listed(&[folder.join(format!("{stem}.d"))]) }
}

/// The sources of the crate itself, its root first.
fn own_sources(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{}.d", stem.strip_prefix("lib").unwrap_or(&stem));
    let Some(root) = workspace(file) else { return Vec::new() };
    // The file in `deps` lists them relative to the workspace.
    let mut sources = listed(&[folder.join(&name), folder.join("deps").join(&name)]);
    sources.iter_mut().for_each(|path| *path = root.join(&*path));
    if sources.is_empty() {
        // The file beside the program lists those of the SDK too, in the order of their paths.
        sources = listed(&[folder.join(format!("{stem}.d"))]);
        sources.retain(|path| path.extension().is_some_and(|end| end == "rs") && !path.starts_with(root.join("suite")));
        sources.sort_by_key(|path| !path.ends_with("src/lib.rs"));
    }
    sources
}

/// The sources in the first of these files that exists.
fn listed(places: &[PathBuf]) -> Vec<PathBuf> {
    let Some(text) = places.iter().find_map(|place| fs::read_to_string(place).ok()) else { return Vec::new() };
    let sources = text.lines().next().and_then(|line| line.split_once(": ")).map(|(_, sources)| names(sources));
    sources.unwrap_or_default().into_iter().map(PathBuf::from).collect()
}

/// The names on a line of a dependency file, in which a space inside a name is escaped.
fn names(line: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', Some(' ')) => {
                letters.next();
                names.last_mut().unwrap_or(&mut String::new()).push(' ');
            }
            (' ', _) => names.push(String::new()),
            (letter, _) => names.last_mut().unwrap_or(&mut String::new()).push(letter),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library in `deps` of a target folder, with the dependency file that cargo writes.
    fn library(folder: &Path, name: &str, source: &Path) -> PathBuf {
        let deps = folder.join("deps");
        fs::create_dir_all(&deps).unwrap();
        let library = deps.join(format!("lib{name}.so"));
        fs::write(&library, "library").unwrap();
        let escaped = source.display().to_string().replace(' ', "\\ ");
        fs::write(deps.join(format!("{name}.d")), format!("{}: {escaped}\n", library.display())).unwrap();
        library
    }

    #[test]
    fn a_library_of_a_removed_or_renamed_crate_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("a crate/src/lib.rs");
        let library = library(folder.path(), "haltbench_policy_a", &source);
        assert_eq!(origin(&library).unwrap_err(), format!("{} does not exist", source.display()));
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "").unwrap();
        let manifest = folder.path().join("a crate/Cargo.toml");
        fs::write(&manifest, "[package]\nname = \"haltbench_policy_b\"\n").unwrap();
        let gone = origin(&library).unwrap_err();
        assert!(gone.ends_with("a crate is now the crate haltbench_policy_b"), "{gone}");
        fs::write(&manifest, "[package]\nname = \"haltbench-policy-a\"\n").unwrap();
        let found = origin(&library).unwrap();
        assert_eq!(found, Some(Origin { package: "haltbench-policy-a".to_owned(), sources: vec![source] }));
        assert_eq!(origin(&folder.path().join("deps/libelse.so")), Ok(None));
    }
}
