//! Libraries in the program's folders: ghosts of crates that are gone, and libraries that are older than their sources.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::outside::{Outside, program};

/// A target folder with the program, the shared library and one plugin.
fn target(outside: &Outside) -> PathBuf {
    let deps = outside.path("target/debug/deps");
    fs::create_dir_all(&deps).unwrap();
    let built = program();
    let copy = |name: &str, place: PathBuf| fs::copy(built.with_file_name(name), place).unwrap();
    copy("haltbench", outside.path("target/debug/haltbench"));
    for name in ["libhaltbench_sdk_dylib.so", "libhaltbench_policy_controls.so"] {
        copy(&format!("deps/{name}"), deps.join(name));
    }
    deps
}

fn ghost(deps: &Path, name: &str, source: &Path) {
    fs::copy(deps.join("libhaltbench_policy_controls.so"), deps.join(format!("lib{name}.so"))).unwrap();
    fs::write(deps.join(format!("{name}.d")), format!("{}/lib{name}.so: {}\n", deps.display(), source.display()))
        .unwrap();
}

#[test]
fn libraries_of_removed_and_renamed_crates_are_left_out_with_a_warning() {
    let outside = Outside::new();
    let deps = target(&outside);
    ghost(&deps, "haltbench_policy_removed", &outside.path("removed/src/lib.rs"));
    outside.write("renamed/src/lib.rs", "");
    outside.write("renamed/Cargo.toml", "[package]\nname = \"haltbench_policy_new\"\n");
    ghost(&deps, "haltbench_policy_old", &outside.path("renamed/src/lib.rs"));
    let program = outside.path("target/debug/haltbench");
    let listed = outside.run_program(&program, &["list", "policies"]);
    assert_eq!(listed.status, 0, "{}", listed.stderr);
    assert!(listed.stdout.contains("  fixed "), "{}", listed.stdout);
    assert_eq!(listed.stderr.lines().count(), 2, "{}", listed.stderr);
    for word in ["removed/src/lib.rs does not exist; remove the file", "renamed is now the crate haltbench_policy_new"]
    {
        assert!(listed.stderr.contains(word), "{}", listed.stderr);
    }
    // Without what cargo wrote beside it, it may be anybody's.
    fs::remove_file(deps.join("haltbench_policy_removed.d")).unwrap();
    let twice = outside.run_program(&program, &["list", "policies"]);
    assert_eq!(twice.status, 3, "{}", twice.stderr);
    assert!(twice.stderr.contains("is provided twice"), "{}", twice.stderr);
}

#[test]
fn a_library_that_is_older_than_its_source_is_never_run() {
    let outside = Outside::new();
    let deps = target(&outside);
    outside.write("own/src/lib.rs", "this does not compile");
    outside.write("own/Cargo.toml", "[package]\nname = \"haltbench_policy_controls\"\n");
    let source = outside.path("own/src/lib.rs");
    let record = format!("{}/x.so: {}\n", deps.display(), source.display());
    fs::write(deps.join("haltbench_policy_controls.d"), record).unwrap();
    let library = deps.join("libhaltbench_policy_controls.so");
    let date = |file: &Path, age: u64| {
        let time = SystemTime::now() - Duration::from_secs(age);
        File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    };
    let program = outside.path("target/debug/haltbench");
    date(&source, 3600);
    assert_eq!(outside.run_program(&program, &["list", "policies"]).status, 0, "it is newer");

    // The shared library is older than the sources of the SDK: building a plugin alone would not fit the program.
    date(&library, 7200);
    date(&deps.join("libhaltbench_sdk_dylib.so"), 3600 * 24 * 3650);
    let refused = outside.run_program(&program, &["list", "policies"]);
    assert_eq!(refused.status, 3, "{}", refused.stderr);
    for word in ["older than its source", "own/src/lib.rs", "the program is older than", "`cargo build --workspace`"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    // A named plugin of the same crate replaces it.
    let named = program.with_file_name("libcopy.so");
    fs::copy(&library, &named).unwrap();
    let doctor = outside.run_program(&program, &["doctor", "--plugin", named.to_str().unwrap()]);
    assert!(doctor.stdout.contains("older than its source"), "{}", doctor.stdout);
}
