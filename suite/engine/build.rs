//! Lists the built-in suites, every TOML file in `suites/`, and hashes the sources that results depend on.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What training runs through.
const TRAINING: &[&str] = &["batch.rs", "data.rs", "model.rs", "optimiser.rs", "recurrence", "training.rs"];

/// What an evaluation and its measures run through, besides.
const EVALUATION: &[&str] = &[
    "guesses.rs",
    "decoding",
    "estimate.rs",
    "evaluation",
    "generation",
    "ledger.rs",
    "store/columns.rs",
    "store/tokens.rs",
    "worker",
    "../../analysis/src",
];

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo:rerun-if-changed=suites");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=HALTBENCH_TRAINING={}", hash(&root.join("src"), TRAINING));
    let all = [TRAINING, EVALUATION].concat();
    println!("cargo:rustc-env=HALTBENCH_EVALUATION={}", hash(&root.join("src"), &all));
    list_suites(&root.join("suites"));
}

/// Hash of the Rust files that `parts` name below `source`, in the order of their paths.
fn hash(source: &Path, parts: &[&str]) -> String {
    let mut files = Vec::new();
    for part in parts {
        let path = source.join(part);
        println!("cargo:rerun-if-changed={}", path.display());
        collect(path, &mut files);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.strip_prefix(source).unwrap_or(&file).to_string_lossy().as_bytes());
        hasher.update(&fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn collect(path: PathBuf, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries.flatten().for_each(|entry| collect(entry.path(), files));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(path);
    }
}

fn list_suites(folder: &Path) {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    let entries: String = names
        .iter()
        .filter_map(|file| Some((file.strip_suffix(".toml")?, folder.join(file))))
        .map(|(name, path)| format!("({name:?}, include_str!({path:?})),\n"))
        .collect();
    let source = format!("pub const BUILT_IN: &[(&str, &str)] = &[\n{entries}];\n");
    let target = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("suites.rs");
    if let Err(error) = fs::write(&target, source) {
        panic!("{}: {error}", target.display());
    }
}
