//! A bundled program, one static file, computes the same bits as a program with libraries.
//!
//! Building it takes minutes, so `.ci/bundled` does it on demand: it builds the program and runs this test with its path.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

const SUITE: &str = "name = \"both\"\nseeds = [0]\n[task]\nname = \"mano-stream\"\nmodulus = 3\nminimum_operators = 2\n\
                     maximum_operators = 3\nlargest_operators = 4\n[backbone]\nname = \"anira\"\nd_model = 32\nd_ff = 64\n\
                     heads = 4\n[recurrence]\nmax_depth = 3\n[training]\nsteps = 30\nbatch = 16\nwarmup_steps = 5\n\
                     [evaluation]\ninstances = 20\n[[policy]]\nname = \"fixed\"\ndepth = [1, 3]\n[[policy]]\n\
                     name = \"anira-e\"\n[[policy]]\nname = \"act\"\n[[policy]]\nname = \"mor-expert-choice\"\n";

fn run(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).env_clear().output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers of every cell and model by its title, without the hashes of the code that made them.
fn numbers(runs: &Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut numbers: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for group in ["models", "both"] {
        for folder in fs::read_dir(runs.join(group)).unwrap().map(|entry| entry.unwrap().path()) {
            let files = ["weights.safetensors", "metrics.jsonl", "tokens.parquet"].map(|name| folder.join(name));
            let files: Vec<&PathBuf> = files.iter().filter(|file| file.is_file()).collect();
            let contents: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
            if let Some(first) = contents.first() {
                let key = format!("{group} {}", blake3::hash(first).to_hex());
                numbers.entry(key).or_default().extend(contents);
            }
        }
    }
    numbers
}

#[test]
#[ignore = "needs a bundled program: run .ci/bundled"]
fn a_bundled_program_computes_the_same_bits() {
    let bundled = PathBuf::from(std::env::var_os("HALTBENCH_BUNDLED").expect("the path of a bundled program"));
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let usual = test.parent().and_then(Path::parent).unwrap().join("haltbench");
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("both.toml"), SUITE).unwrap();

    // Moved away from everything that was built with it.
    let moved = folder.path().join("moved");
    fs::copy(bundled, &moved).unwrap();
    let names = |program: &Path| -> Vec<String> {
        let items: Vec<Value> = serde_json::from_str(&run(program, folder.path(), &["list", "--json"])).unwrap();
        items.iter().map(|item| format!("{} {}", item["kind"], item["name"])).collect()
    };
    assert_eq!(names(&moved), names(&usual));
    let needed = Command::new("ldd").arg(&moved).output().unwrap();
    let needed = String::from_utf8(needed.stdout).unwrap();
    assert!(!needed.contains("libstd") && !needed.contains("haltbench"), "{needed}");

    for (program, runs) in [(&moved, "static"), (&usual, "shared")] {
        run(program, folder.path(), &["run", "both.toml", "--runs", runs]);
    }
    let [one, other] = ["static", "shared"].map(|runs| numbers(&folder.path().join(runs)));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    assert!(one.len() >= 8, "{:?}", one.keys());
    assert_eq!(one, other);

    let refused = Command::new(&moved).args(["list", "--plugin", "/lib/x.so"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("loads no others"));
}
