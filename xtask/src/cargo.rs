//! What cargo and the compiler say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Standard output of a command in the repository.
///
/// # Errors
/// If it cannot be started or fails.
pub fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    let command = command.args(arguments).current_dir(root()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("{program}: cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {}: {}", arguments.join(" "), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Cargo's own program.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// A package that is part of the program.
pub struct Package {
    /// Its id, as cargo writes it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it comes from a registry.
    pub is_foreign: bool,
}

/// The packages that `root` consists of, without those that only build it.
///
/// # Errors
/// If cargo fails or its answer is not understood.
pub fn packages_of(root: &str) -> Result<Vec<Package>, String> {
    let target = target()?;
    let text = output(&cargo(), &["metadata", "--locked", "--format-version=1", "--filter-platform", &target])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = list(&metadata["packages"]);
    let nodes = list(&metadata["resolve"]["nodes"]);
    let first = all.iter().find(|package| package["name"] == root).map(|package| text(&package["id"]));
    let mut open = vec![first.ok_or_else(|| format!("cargo knows no package {root}"))?];
    let mut ids = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !ids.insert(id.clone()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id.as_str());
        for dependency in node.map(|node| list(&node["deps"])).unwrap_or_default() {
            let is_normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            open.extend(is_normal.then(|| text(&dependency["pkg"])));
        }
    }
    let package = |package: &Value| Package {
        id: text(&package["id"]),
        name: text(&package["name"]),
        version: text(&package["version"]),
        folder: PathBuf::from(text(&package["manifest_path"])).parent().map(Path::to_owned).unwrap_or_default(),
        is_foreign: !package["source"].is_null(),
    };
    Ok(all.iter().map(package).filter(|package| ids.contains(&package.id)).collect())
}

/// The compiler's target.
///
/// # Errors
/// If the compiler fails.
pub fn target() -> Result<String, String> {
    let version = output("rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

/// A file that cargo made, and the id of its package.
pub struct Artefact {
    /// The package.
    pub package: String,
    /// The file.
    pub file: PathBuf,
}

/// Builds the program, and returns all files of it.
///
/// # Errors
/// If it does not compile.
pub fn build() -> Result<Vec<Artefact>, String> {
    let arguments = ["build", "--locked", "--package", "haltbench", "--message-format=json-render-diagnostics"];
    let report = output(&cargo(), &arguments)?;
    let mut artefacts = Vec::new();
    for line in report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["reason"] != "compiler-artifact" {
            continue;
        }
        for file in line["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let package = line["package_id"].as_str().unwrap_or_default().to_owned();
            artefacts.push(Artefact { package, file: PathBuf::from(file) });
        }
    }
    Ok(artefacts)
}
