//! Computes the fingerprint of this build: what two libraries must share before one may call into the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let compiler = Command::new(variable("RUSTC"))
        .arg("-vV")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let line = |prefix: &str| {
        compiler.lines().find_map(|line| line.strip_prefix(prefix)).unwrap_or("unknown").trim().to_owned()
    };
    let features = {
        let mut names: Vec<String> =
            env::vars().filter_map(|(name, _)| name.strip_prefix("CARGO_FEATURE_").map(str::to_lowercase)).collect();
        names.sort();
        if names.is_empty() { "none".to_owned() } else { names.join(",") }
    };
    let fingerprint = [
        ("rustc", format!("{} {}", line("release:"), line("commit-hash:"))),
        ("target", variable("TARGET")),
        (
            "profile",
            format!(
                "{} opt-level={} debug-assertions={}",
                variable("PROFILE"),
                variable("OPT_LEVEL"),
                env::var("CARGO_CFG_DEBUG_ASSERTIONS").is_ok()
            ),
        ),
        ("features", features),
        ("sdk", sources_hash(Path::new(&variable("CARGO_MANIFEST_DIR")))),
        ("candle", candle_version(Path::new(&variable("CARGO_MANIFEST_DIR")))),
    ];
    let text: String = fingerprint.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    println!("cargo:rustc-env=HALTBENCH_FINGERPRINT={}", text.replace('\n', ";"));
}

/// Hash of every source file of the SDK and of the kernels that it stands on, in the order of their paths: a changed vtable
/// is a changed hash.
fn sources_hash(sdk: &Path) -> String {
    let root = sdk.parent().unwrap_or(sdk);
    let mut files = Vec::new();
    for crate_root in [sdk.to_owned(), root.join("kernels")] {
        let (manifest, sources) = (crate_root.join("Cargo.toml"), crate_root.join("src"));
        println!("cargo:rerun-if-changed={}", manifest.display());
        println!("cargo:rerun-if-changed={}", sources.display());
        assert!(manifest.is_file() && sources.is_dir(), "{}: no sources to hash", crate_root.display());
        files.push(manifest);
        collect(&sources, &mut files);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.strip_prefix(root).unwrap_or(&file).to_string_lossy().as_bytes());
        hasher.update(&fs::read(&file).unwrap_or_default());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The version of candle-core in the nearest lock file.
fn candle_version(start: &Path) -> String {
    let lock = start.ancestors().map(|path| path.join("Cargo.lock")).find(|path| path.exists());
    let Some(lock) = lock else { return "unknown".to_owned() };
    println!("cargo:rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(lock).unwrap_or_default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "name = \"candle-core\"" {
            let version = lines.next().unwrap_or_default();
            return version.trim_start_matches("version = ").trim_matches('"').to_owned();
        }
    }
    "unknown".to_owned()
}
