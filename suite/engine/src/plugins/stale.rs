//! Libraries that are older than their sources: cargo writes a file with the sources beside each library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::origin::sources;

/// A library or program that is older than one of its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The library or program.
    pub file: PathBuf,
    /// The newest of its sources.
    pub source: PathBuf,
}

/// The `libraries`, and the program, that are older than one of the sources that cargo recorded for them. Without this
/// record (built elsewhere, or installed) a library counts as current. Sources of libraries do not count as sources of
/// the program.
pub fn stale(libraries: &[&Path], program: Option<&Path>) -> Vec<Stale> {
    let mut known: BTreeMap<PathBuf, Option<SystemTime>> = BTreeMap::new();
    let mut all: Vec<Stale> = Vec::new();
    let mut seen: BTreeSet<&Path> = BTreeSet::new();
    for file in libraries.iter().copied().chain(program) {
        // A library with several registrations is listed once for each.
        if !seen.insert(file) {
            continue;
        }
        let Some(built) = modified(file) else { continue };
        let is_program = Some(file) == program;
        let own: Vec<PathBuf> =
            sources(file).into_iter().filter(|source| !is_program || !known.contains_key(source)).collect();
        let newest = own.into_iter().filter_map(|source| {
            let time = *known.entry(source.clone()).or_insert_with(|| modified(&source));
            Some((time?, source))
        });
        if let Some((_, source)) = newest.max().filter(|(time, _)| *time > built) {
            all.push(Stale { file: file.to_owned(), source });
        }
    }
    all
}

/// The newest of `sources`, if `file` is older; a source that is gone counts as newer.
pub(super) fn newer<'a>(file: &Path, sources: impl IntoIterator<Item = &'a PathBuf>) -> Option<&'a PathBuf> {
    let built = modified(file)?;
    let dated = sources.into_iter().map(|source| (modified(source), source));
    let newer = dated.filter(|(time, source)| time.map_or(!source.exists(), |time| time > built));
    newer.max_by_key(|(time, _)| *time).map(|(_, source)| source)
}

/// Modification time of a file; `None` for a folder, whose time does not depend on its files' contents.
fn modified(path: &Path) -> Option<SystemTime> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_file().then(|| metadata.modified().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_a_library_that_is_older_than_its_newest_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str, age: u64| {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), text).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            fs::File::options().write(true).open(path(name)).unwrap().set_modified(time).unwrap();
        };
        for name in ["libold.so", "libnew.so", "libbare.so", "deps/libdeep.so"] {
            write(name, "library", if name == "libnew.so" { 5 } else { 100 });
        }
        write("a b.rs", "", 50);
        write("c.rs", "", 40);
        let line = |library: &str| {
            let escaped = path("a b.rs").display().to_string().replace(' ', "\\ ");
            format!("{}: {escaped} {} relative.rs\n\nother: x\n", path(library).display(), path("c.rs").display())
        };
        write("libold.d", &line("libold.so"), 0);
        write("libnew.d", &line("libnew.so"), 0);
        write("deps/deep.d", &line("libdeep.so"), 0);
        let files = ["libold.so", "libnew.so", "libbare.so", "deps/libdeep.so", "absent.so", "libold.so"].map(path);
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let found = stale(&files, None);
        let expected = ["libold.so", "deps/libdeep.so"].map(|name| Stale { file: path(name), source: path("c.rs") });
        assert_eq!(found, expected);
    }
}
