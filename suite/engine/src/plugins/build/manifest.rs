//! The manifest that a plugin is built with: the user's own, as a workspace of its own that takes the SDK from the program.
//!
//! Dependencies on the SDK are left out, because the compiler is given the program's shared library instead: any other
//! copy, even of the same sources, has other symbols. `workspace = true` means the suite's workspace, whose manifest is
//! part of this program, so that a crate can move into the suite and out of it unchanged.

use std::path::Path;

use toml::{Table, Value};

/// The manifest of the suite's workspace.
const SUITE: &str = include_str!("../../../../../Cargo.toml");

/// The crates that the program gives to every plugin.
const GIVEN: [&str; 2] = ["haltbench_sdk", "haltbench_sdk_dylib"];

/// Crates that must not be linked a second time, and where a plugin finds them.
const SHARED: [(&str, &str); 4] = [
    ("candle-core", "haltbench_sdk::candle_core"),
    ("candle-nn", "haltbench_sdk::candle_nn"),
    ("inventory", "haltbench_sdk::inventory"),
    ("haltbench_kernels", "haltbench_sdk::ops"),
];

/// What the library is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be loaded.
    Library,
    /// To run its tests.
    Test,
}

/// A manifest to build with.
#[derive(Debug, PartialEq)]
pub struct Manifest {
    /// Name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Names in the code of the plugin for the shared library.
    pub given: Vec<String>,
    /// The text of `Cargo.toml`.
    pub text: String,
}

/// The manifest for a single file.
///
/// # Errors
/// If the name is not a valid crate name.
pub fn of_file(file: &Path) -> Result<Manifest, String> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if !is_name(&stem) {
        return Err(format!("expected a file name of letters, digits, `-` and `_`, found `{stem}.rs`"));
    }
    let package = Table::from_iter([("name".to_owned(), Value::String(stem.into_owned()))]);
    let lib = Table::from_iter([("path".to_owned(), Value::String(file.display().to_string()))]);
    let table =
        Table::from_iter([("package", package), ("lib", lib)].map(|(key, table)| (key.to_owned(), table.into())));
    of_table(table, file.parent().unwrap_or(Path::new("/")), Purpose::Library)
}

/// Whether this can be the name of a package; it becomes the name of a folder.
fn is_name(name: &str) -> bool {
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(is_legal)
}

/// The manifest for a crate in `folder`, whose own manifest is `text`.
///
/// # Errors
/// If it is no manifest of a package, or has dependencies that a plugin must not have.
pub fn of_crate(text: &str, folder: &Path, purpose: Purpose) -> Result<Manifest, String> {
    let table: Table = toml::from_str(text).map_err(|error| format!("Cargo.toml: {}", error.to_string().trim_end()))?;
    of_table(table, folder, purpose)
}

fn of_table(mut own: Table, folder: &Path, purpose: Purpose) -> Result<Manifest, String> {
    let suite: Table = toml::from_str(SUITE).map_err(|error| format!("the suite's Cargo.toml: {error}"))?;
    let suite = suite.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    let mut package = match own.remove("package") {
        Some(Value::Table(package)) => package,
        _ => return Err("Cargo.toml: expected a [package], found none".to_owned()),
    };
    for (key, value) in &mut package {
        if inherits(value) {
            let common = suite.get("package").and_then(|package| package.get(key));
            *value =
                common.cloned().ok_or_else(|| format!("Cargo.toml: package.{key}: the suite's workspace has none"))?;
        }
    }
    package.remove("workspace");
    package.entry("edition").or_insert_with(|| Value::String("2024".to_owned()));
    package.insert("publish".to_owned(), Value::Boolean(false));
    let text_of = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text_of("name").ok_or("Cargo.toml: expected package.name, found none")?;
    if !is_name(&name) {
        return Err(format!("Cargo.toml: package.name: expected letters, digits, `-` and `_`, found `{name}`"));
    }
    if own.contains_key("patch") {
        return Err("Cargo.toml: [patch]: not supported; depend on the other source itself".to_owned());
    }
    let version = text_of("version").unwrap_or_else(|| "0.0.0".to_owned());

    let mut dependencies = Dependencies { suite: &suite, folder, given: GIVEN.map(str::to_owned).to_vec() };
    let mut made = Table::new();
    made.insert("package".to_owned(), package.into());
    let mut lib = own.remove("lib").and_then(|lib| lib.as_table().cloned()).unwrap_or_default();
    lib.insert("crate-type".to_owned(), Value::Array(vec!["cdylib".into()]));
    made.insert("lib".to_owned(), lib.into());
    let mut kinds = vec!["dependencies", "build-dependencies"];
    // Cargo resolves these even if it does not build them.
    kinds.extend((purpose == Purpose::Test).then_some("dev-dependencies"));
    for kind in &kinds {
        if let Some(Value::Table(table)) = own.remove(*kind) {
            made.insert((*kind).to_owned(), dependencies.translate(table)?.into());
        }
    }
    if let Some(Value::Table(targets)) = own.remove("target") {
        let mut translated = Table::new();
        for (target, tables) in targets {
            let mut inner = Table::new();
            for (kind, table) in tables.as_table().cloned().unwrap_or_default() {
                if let (true, Value::Table(table)) = (kinds.contains(&kind.as_str()), table) {
                    inner.insert(kind, dependencies.translate(table)?.into());
                }
            }
            translated.insert(target, inner.into());
        }
        made.insert("target".to_owned(), translated.into());
    }
    for key in ["features", "lints"] {
        if let Some(value) = own.remove(key) {
            made.insert(key.to_owned(), value);
        }
    }
    let lints = suite.get("lints").cloned().unwrap_or_else(|| Table::new().into());
    made.insert("workspace".to_owned(), Table::from_iter([("lints".to_owned(), lints)]).into());
    made.insert("profile".to_owned(), profile().into());
    let given = dependencies.given;
    let text = toml::to_string(&made).map_err(|error| format!("Cargo.toml: {error}"))?;
    Ok(Manifest { name, version, given, text })
}

/// Optimised as the suite's own plugins are; whole in one file.
fn profile() -> Table {
    toml::toml! {
        [dev]
        opt-level = 2
        debug = "line-tables-only"
        incremental = false

        [dev.package."*"]
        opt-level = 3
        debug = false
    }
}

/// Whether a value of the manifest is the workspace's.
fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

struct Dependencies<'a> {
    suite: &'a Table,
    folder: &'a Path,
    given: Vec<String>,
}

impl Dependencies<'_> {
    /// The dependencies without the SDK, with absolute paths, and with the suite's versions instead of `workspace`.
    fn translate(&mut self, table: Table) -> Result<Table, String> {
        let mut translated = Table::new();
        for (key, mut value) in table {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(&key).to_owned();
            if GIVEN.contains(&package.as_str()) {
                let name = key.replace('-', "_");
                if !self.given.contains(&name) {
                    self.given.push(name);
                }
                continue;
            }
            if let Some((_, place)) = SHARED.iter().find(|(name, _)| *name == package) {
                return Err(format!(
                    "Cargo.toml: {key}: a second copy would give silently wrong gradients; leave it out and use {place}"
                ));
            }
            if package.starts_with("haltbench") {
                return Err(format!("Cargo.toml: {key}: expected haltbench_sdk and haltbench_sdk_dylib alone"));
            }
            if inherits(&value) {
                value = self.inherited(&key, &value)?;
            }
            let path = value.get("path").and_then(Value::as_str).map(|path| self.folder.join(path));
            if let (Some(path), Value::Table(inner)) = (path, &mut value) {
                inner.insert("path".to_owned(), Value::String(path.display().to_string()));
            }
            translated.insert(key, value);
        }
        Ok(translated)
    }

    /// The suite's declaration of a dependency, with the features that the plugin adds.
    fn inherited(&self, key: &str, own: &Value) -> Result<Value, String> {
        let declared = self.suite.get("dependencies").and_then(|dependencies| dependencies.get(key));
        let mut table = match declared {
            Some(Value::Table(table)) => table.clone(),
            Some(Value::String(version)) => Table::from_iter([("version".to_owned(), Value::String(version.clone()))]),
            _ => return Err(format!("Cargo.toml: {key}: the suite's workspace does not have it; give a version")),
        };
        if let Some(Value::Array(more)) = own.get("features") {
            let features = table.entry("features").or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(features) = features {
                features.extend(more.iter().cloned());
            }
        }
        if let Some(optional) = own.get("optional") {
            table.insert("optional".to_owned(), optional.clone());
        }
        Ok(table.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Manifest, String> {
        of_crate(text, Path::new("/plugin"), Purpose::Library)
    }

    #[test]
    fn takes_the_sdk_out_and_resolves_what_the_workspace_declares() {
        let manifest = made(
            "[package]\nname = \"p\"\nversion.workspace = true\nlicense.workspace = true\nworkspace = \"..\"\n\
             [lib]\ncrate-type = [\"rlib\", \"cdylib\"]\n\
             [dependencies]\nhaltbench_sdk.workspace = true\nsdk = { package = \"haltbench_sdk\", path = \"../x\" }\n\
             serde = { workspace = true, features = [\"rc\"] }\nown = { path = \"../own\" }\n\
             [dev-dependencies]\nproptest.workspace = true\n[lints]\nworkspace = true\n",
        )
        .unwrap();
        assert_eq!(manifest.name, "p");
        assert_eq!(manifest.version, "0.1.0");
        assert_eq!(manifest.given, ["haltbench_sdk", "haltbench_sdk_dylib", "sdk"]);
        let table: Table = toml::from_str(&manifest.text).unwrap();
        let dependencies = table["dependencies"].as_table().unwrap();
        assert_eq!(dependencies.keys().collect::<Vec<_>>(), ["own", "serde"]);
        assert_eq!(dependencies["own"]["path"].as_str(), Some("/plugin/../own"));
        let features = dependencies["serde"]["features"].as_array().unwrap();
        assert_eq!(features.iter().filter_map(Value::as_str).collect::<Vec<_>>(), ["derive", "rc"]);
        assert!(!table.contains_key("dev-dependencies"));
        assert_eq!(table["lib"]["crate-type"].as_array().unwrap().len(), 1);
        assert!(table["workspace"]["lints"].get("rust").is_some());
    }

    #[test]
    fn refuses_a_second_copy_of_candle_and_unknown_names() {
        let with = |dependency: &str| made(&format!("[package]\nname = \"p\"\n[dependencies]\n{dependency}\n"));
        assert!(with("candle-core = \"0.11\"").unwrap_err().contains("use haltbench_sdk::candle_core"));
        assert!(
            with("haltbench_engine = \"0.1\"").unwrap_err().contains("haltbench_sdk and haltbench_sdk_dylib alone")
        );
        assert!(with("nonsense.workspace = true").unwrap_err().contains("give a version"));
        assert!(made("[package]\nname = \"../up\"\n").unwrap_err().contains("found `../up`"));
        assert!(made("[package]\nname = \"p\"\n[patch.crates-io]\n").unwrap_err().contains("[patch]"));
        assert!(made("[workspace]\n").unwrap_err().contains("expected a [package]"));
        assert!(made("[package\n").unwrap_err().contains("Cargo.toml: "));
        assert!(of_file(Path::new("/a/my policy.rs")).unwrap_err().contains("`my policy.rs`"));
        assert_eq!(of_file(Path::new("/a/my_policy.rs")).unwrap().name, "my_policy");
    }
}
