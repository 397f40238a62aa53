//! Finds plugins by their file names.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::build::shared_library;
use super::catalogue::Catalogue;
use super::error::PluginError;
use super::file::FileIdentity;
use super::load::{LoadedPlugin, load};
use super::origin::origin;
use super::trial;

/// The environment variable with further plugin folders, separated by colons.
pub const FOLDERS_VARIABLE: &str = "HALTBENCH_PLUGINS";

/// Whether the plugins are linked into the program. A library would bring a second copy of the SDK.
pub const IS_BUNDLED: bool = cfg!(feature = "bundled");

/// A library or folder that is left out, and why.
#[derive(Debug)]
pub struct Skipped {
    /// The library or folder.
    pub file: PathBuf,
    /// Why it is left out.
    pub reason: PluginError,
}

/// A folder that is searched for plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFolder {
    /// The folder.
    pub path: PathBuf,
    /// Whether the user asked for it, so that it must exist.
    pub required: bool,
}

/// Loads the libraries in `explicit`, then those found in the [`search_folders`], and catalogues all of them.
///
/// If several files have the same name, the first that loads wins, in the order of the folders; an explicit plugin wins
/// over all with its file name and over those of the same crate. A library that was found but refused is skipped: an
/// unrelated or outdated library must not stop the program. So is a library of the suite's workspace whose crate has
/// been removed or renamed.
///
/// # Errors
/// If a library in `explicit` is refused, or if two providers register one name.
pub fn catalogue(explicit: &[PathBuf]) -> Result<(Catalogue, Vec<Skipped>), PluginError> {
    catalogue_in(explicit, &search_folders())
}

/// [`catalogue`] with an explicit list of folders to search.
///
/// # Errors
/// If a library in `explicit` is refused, or if two providers register one name.
pub fn catalogue_in(explicit: &[PathBuf], folders: &[SearchFolder]) -> Result<(Catalogue, Vec<Skipped>), PluginError> {
    if IS_BUNDLED && !explicit.is_empty() {
        return Err(PluginError::Static);
    }
    let mut skipped = Vec::new();
    let mut gone = Vec::new();
    let mut found: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
    for folder in folders {
        match fs::read_dir(&folder.path) {
            Ok(entries) => {
                for name in entries.flatten().map(|entry| entry.file_name()) {
                    if !name.to_str().is_some_and(is_plugin_name) {
                        continue;
                    }
                    let file = folder.path.join(&name);
                    // What lies in a folder that the user named was not built here.
                    match if folder.required { Ok(None) } else { origin(&file) } {
                        Ok(_) => found.entry(name).or_default().push(file),
                        Err(what) => {
                            gone.push(Skipped { file: file.clone(), reason: PluginError::Gone { file, what } })
                        }
                    }
                }
            }
            Err(source) if folder.required => {
                let reason = PluginError::Folder { folder: folder.path.clone(), source };
                skipped.push(Skipped { file: folder.path.clone(), reason });
            }
            Err(_) => {}
        }
    }
    // One file in `deps` and beside the program is one library.
    gone.sort_by(|left, right| left.file.file_name().cmp(&right.file.file_name()));
    gone.dedup_by(|left, right| left.file.file_name() == right.file.file_name());
    skipped.extend(gone);
    trial::attempt(explicit.iter().chain(found.values().flatten()).map(PathBuf::as_path));
    let mut plugins = explicit.iter().map(|file| load(file)).collect::<Result<Vec<_>, _>>()?;
    for (name, candidates) in found {
        let named = plugins[..explicit.len()].iter().find(|plugin| replaces(plugin, &name));
        plugins.extend(first_that_loads(&candidates, named, &mut skipped));
    }
    Ok((Catalogue::new(&plugins)?, skipped))
}

/// Whether an explicit plugin stands for the found file `name`: it has its name, or was built from the same crate.
fn replaces(plugin: &LoadedPlugin, name: &OsStr) -> bool {
    let is_of = |provider: &str| name == OsStr::new(&format!("lib{}.so", provider.replace('-', "_")));
    plugin.file().file_name() == Some(name) || plugin.items().iter().any(|item| is_of(item.provider))
}

/// The folders that are searched for plugins, in order: the program's own, that of the shared library, then those in
/// [`FOLDERS_VARIABLE`]. A program that has its plugins linked in searches none.
///
/// `deps` comes before the program's folder: cargo links each library into `deps` and may leave an older copy beside
/// the program. `cargo install` copies the program alone, whose plugins stay beside the shared library.
pub fn search_folders() -> Vec<SearchFolder> {
    if IS_BUNDLED {
        return Vec::new();
    }
    let mut folders = folders_of(env::current_exe().ok().as_deref(), env::var_os(FOLDERS_VARIABLE).as_deref());
    let beside = shared_library().and_then(|file| file.parent().map(Path::to_owned));
    let is_new = |path: &Path| {
        let same = |folder: &SearchFolder| folder.path.canonicalize().is_ok_and(|known| known == path);
        !folders.iter().any(same)
    };
    if let Some(path) = beside.filter(|path| is_new(path)) {
        let at = folders.iter().position(|folder| folder.required).unwrap_or(folders.len());
        folders.insert(at, SearchFolder { path, required: false });
    }
    folders
}

fn folders_of(program: Option<&Path>, variable: Option<&OsStr>) -> Vec<SearchFolder> {
    let mut paths = Vec::new();
    if let Some(folder) = program.and_then(Path::parent) {
        paths = match folder.parent() {
            Some(parent) if folder.ends_with("deps") => vec![folder.to_owned(), parent.to_owned()],
            _ => vec![folder.join("deps"), folder.to_owned()],
        };
        paths.push(folder.join("../lib/haltbench"));
    }
    let mut folders: Vec<_> = paths.into_iter().map(|path| SearchFolder { path, required: false }).collect();
    let asked_for = variable.map(|value| env::split_paths(value).collect::<Vec<_>>()).unwrap_or_default();
    let asked_for = asked_for.into_iter().filter(|path| path != Path::new(""));
    folders.extend(asked_for.map(|path| SearchFolder { path, required: true }));
    folders
}

/// Whether a file with this name is a plugin: `libhaltbench_{task,policy,backbone}_*.so`.
pub fn is_plugin_name(name: &str) -> bool {
    let stem = name.strip_prefix("libhaltbench_").and_then(|rest| rest.strip_suffix(".so"));
    let family = stem.and_then(|stem| stem.split_once('_'));
    family.is_some_and(|(kind, rest)| ["task", "policy", "backbone"].contains(&kind) && !rest.is_empty())
}

/// The first of several files with the same name that loads. `named`, an explicit plugin with this name, replaces them
/// all.
fn first_that_loads(
    candidates: &[PathBuf],
    named: Option<&LoadedPlugin>,
    skipped: &mut Vec<Skipped>,
) -> Option<LoadedPlugin> {
    let mut seen: Vec<FileIdentity> =
        named.and_then(|plugin| FileIdentity::of(plugin.file()).ok()).into_iter().collect();
    for file in candidates {
        let identity = match FileIdentity::of(file) {
            Ok(identity) => identity,
            Err(reason) => {
                skipped.push(Skipped { file: file.clone(), reason });
                continue;
            }
        };
        // One file under several paths, as cargo creates them, is one candidate.
        if seen.iter().any(|other| other.is_same_library(&identity)) {
            continue;
        }
        seen.push(identity);
        let reason = match named {
            Some(plugin) => PluginError::Replaced { file: file.clone(), by: plugin.file().to_owned() },
            None => match load(file) {
                Ok(plugin) => return Some(plugin),
                Err(reason) => reason,
            },
        };
        skipped.push(Skipped { file: file.clone(), reason });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_plugins_by_their_names() {
        for name in ["libhaltbench_task_mano.so", "libhaltbench_policy_a_b.so", "libhaltbench_backbone_x.so"] {
            assert!(is_plugin_name(name), "{name}");
        }
        for name in [
            "libhaltbench_sdk_dylib.so",
            "libhaltbench_stress.so",
            "libhaltbench_task_.so",
            "libhaltbench_task.so",
            "libhaltbench_task_mano.rlib",
            "haltbench_task_mano.so",
        ] {
            assert!(!is_plugin_name(name), "{name}");
        }
    }

    #[test]
    fn searches_deps_before_the_programs_folder_and_then_what_was_asked_for() {
        let paths = |program: &str, variable: &str| -> Vec<(String, bool)> {
            let folders = folders_of(Some(Path::new(program)), Some(OsStr::new(variable)));
            folders.into_iter().map(|folder| (folder.path.display().to_string(), folder.required)).collect()
        };
        let expected = [("/t/debug/deps".to_owned(), false), ("/t/debug".to_owned(), false)];
        assert_eq!(paths("/t/debug/haltbench", "")[..2], expected);
        assert_eq!(paths("/t/debug/deps/tests-0123", "")[..2], expected);
        let installed = paths("/opt/bin/haltbench", "/a::/b");
        let names: Vec<&str> = installed.iter().map(|folder| folder.0.as_str()).collect();
        assert_eq!(names, ["/opt/bin/deps", "/opt/bin", "/opt/bin/../lib/haltbench", "/a", "/b"]);
        assert_eq!(installed.iter().filter(|folder| folder.1).count(), 2);
    }

    #[test]
    fn skips_what_it_finds_and_cannot_load_and_a_folder_that_is_not_there() {
        let folder = env::temp_dir().join(format!("haltbench-discover-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("libhaltbench_policy_text.so"), "text").unwrap();
        fs::write(folder.join("notes.txt"), "text").unwrap();
        let absent = folder.join("absent");
        let search = [(&folder, false), (&absent, false), (&absent, true)]
            .map(|(path, required)| SearchFolder { path: path.clone(), required });
        let (_, skipped) = catalogue_in(&[], &search).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let reasons: Vec<String> = skipped.iter().map(|skipped| skipped.reason.to_string()).collect();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons[0].contains("absent: expected a folder with plugins: "), "{reasons:?}");
        assert!(reasons[1].ends_with("expected a 64-bit ELF shared object, found something else"), "{reasons:?}");
    }
}
