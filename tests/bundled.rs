//! A bundled program, one static file, computes the same bits as a program with libraries.
//!
//! Building it takes minutes, so `.ci/bundled` does it on demand: it builds the program and runs this test with its path.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::SafeTensors;
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

/// The numbers of every cell and model, in an order of their own, without the hashes of the code that made them.
fn numbers(runs: &Path) -> BTreeSet<Vec<Vec<u8>>> {
    let contents = |folder: &PathBuf| -> Vec<Vec<u8>> {
        let mut contents: Vec<Vec<u8>> =
            ["metrics.jsonl", "tokens.parquet"].iter().filter_map(|name| fs::read(folder.join(name)).ok()).collect();
        if let Ok(bytes) = fs::read(folder.join("weights.safetensors")) {
            // The header holds the model's id.
            let weights = SafeTensors::deserialize(&bytes).unwrap();
            let mut tensors = weights.tensors();
            tensors.sort_by(|left, right| left.0.cmp(&right.0));
            contents
                .extend(tensors.iter().flat_map(|(name, tensor)| [name.clone().into_bytes(), tensor.data().to_vec()]));
        }
        contents
    };
    let folders = ["models", "both"].into_iter().flat_map(|group| fs::read_dir(runs.join(group)).unwrap());
    let all = folders.map(|entry| contents(&entry.unwrap().path()));
    all.filter(|contents| !contents.is_empty()).collect()
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
    assert_eq!(one.len(), 10, "five models and five cells");
    assert!(one == other, "the two programs compute other numbers");

    let library = usual.with_file_name("deps/libhaltbench_policy_act.so");
    let refused = Command::new(&moved).args(["list", "--plugin"]).arg(library).output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("loads no others"));
}
