//! Run paths, so that the program finds the shared SDK and the standard library outside cargo too.
//!
//! `$ORIGIN/deps` goes first: cargo links each library there and copies it beside the program afterwards. The plugins
//! need no paths: what they need is loaded already when they are opened. The folder that cargo links into goes last, for
//! `cargo install`, which copies the program alone.
//!
//! With the feature `bundled`, also lists the plugins among the dependencies, so that they are linked into the program.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC");
    let target = env::var("TARGET").unwrap_or_default();
    let beside = ["$ORIGIN/deps", "$ORIGIN", "$ORIGIN/../lib"].map(PathBuf::from);
    let toolchain = [
        printed(&["--print", "target-libdir", "--target", &target]),
        printed(&["--print", "sysroot"]).map(|sysroot| sysroot.join("lib")),
    ];
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    let linked = out.ancestors().nth(3).map(|profile| profile.join("deps"));
    for path in beside.into_iter().chain(toolchain.into_iter().flatten()).chain(linked) {
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{}", path.display());
    }
    let names = if env::var_os("CARGO_FEATURE_BUNDLED").is_some() { plugins() } else { String::new() };
    if let Err(error) = fs::write(out.join("bundled.rs"), names) {
        panic!("{}: {error}", out.join("bundled.rs").display());
    }
}

/// A line for each plugin among the dependencies. A crate that nothing names is not linked.
fn plugins() -> String {
    println!("cargo:rerun-if-changed=Cargo.toml");
    let manifest = fs::read_to_string("Cargo.toml").unwrap_or_default();
    let names = manifest.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name));
    let is_plugin =
        |name: &&str| ["task", "policy", "backbone"].iter().any(|kind| name.starts_with(&format!("haltbench_{kind}_")));
    names.filter(is_plugin).map(|name| format!("use {name} as _;\n")).collect()
}

/// The path that the compiler prints.
fn printed(arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(env::var_os("RUSTC")?).args(arguments).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !path.is_empty()).then(|| PathBuf::from(path))
}
