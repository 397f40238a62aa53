//! The folder of `cargo xtask dist` runs where no cargo and no repository are, after it has been moved.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SUITE: &str = "name = \"tiny\"\nseeds = [0]\n[task]\nname = \"mano-stream\"\nmodulus = 3\nminimum_operators = 2\n\
                     maximum_operators = 3\nlargest_operators = 4\n[backbone]\nname = \"anira\"\nd_model = 16\nd_ff = 32\n\
                     heads = 2\n[recurrence]\nmax_depth = 2\n[training]\nsteps = 5\nbatch = 8\nwarmup_steps = 1\n\
                     [evaluation]\ninstances = 10\n[[policy]]\nname = \"fixed\"\ndepth = [1, 2]\n";

/// Lays out the folder; cargo has built everything already, because this package depends on all of it.
fn lay_out(out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo).args(["xtask", "dist", "--out"]).arg(out).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_folder_runs_anywhere_without_cargo() {
    let folder = TempDir::new().unwrap();
    lay_out(&folder.path().join("first"));
    let moved = folder.path().join("a moved folder");
    fs::rename(folder.path().join("first"), &moved).unwrap();
    fs::write(folder.path().join("tiny.toml"), SUITE).unwrap();
    let run = |arguments: &[&str], variables: &[(&str, PathBuf)]| {
        let mut command = Command::new(moved.join("bin/haltbench"));
        command.args(arguments).current_dir(folder.path()).env_clear();
        let output = command.envs(variables.iter().cloned()).output().unwrap();
        let [out, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{arguments:?}: {out}{said}");
        (out, said)
    };
    let (list, said) = run(&["list"], &[]);
    assert!(list.contains("  anira-e ") && list.contains("  universal-transformer "), "{list}");
    assert!(
        list.contains("a moved folder/bin/../lib/haltbench") || list.contains("a moved folder/lib/haltbench"),
        "{list}"
    );
    assert!(!list.contains("/target/"), "a library of the repository is loaded: {list}");
    assert_eq!(said, "");
    let (board, _) = run(&["run", "tiny.toml"], &[]);
    assert!(board.contains("fixed(depth=2)"), "{board}");

    // A plugin is compiled against the folder's library, with a compiler and without the repository.
    let path = PathBuf::from(std::env::var_os("PATH").unwrap());
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or("/".into()));
    let variables = [("PATH", path), ("HOME", home), ("XDG_CACHE_HOME", folder.path().join("cache"))];
    run(&["plugin", "new", "mine", "--kind", "early"], &[]);
    let (checked, _) = run(&["plugin", "check", "mine"], &variables);
    assert!(checked.contains("  kept    its decisions have a cost"), "{checked}");
    assert!(folder.path().join("cache/haltbench/plugins").is_dir());

    for licence in ["LICENSE-MIT", "LICENSE-APACHE", "licences"] {
        assert!(moved.join(licence).exists(), "{licence}");
    }
    let licences = fs::read_dir(moved.join("licences")).unwrap();
    let names: Vec<String> = licences.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("candle-core-") || name.starts_with("gemm-")), "{names:?}");
}
