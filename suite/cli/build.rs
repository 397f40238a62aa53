//! Run paths, so that the program finds the shared SDK and the standard library outside cargo too.
//!
//! `$ORIGIN/deps` goes first: cargo links each library there and copies it beside the program afterwards. The plugins
//! need no paths: what they need is loaded already when they are opened.

use std::env;
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
    for path in beside.into_iter().chain(toolchain.into_iter().flatten()) {
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{}", path.display());
    }
}

/// The path that the compiler prints.
fn printed(arguments: &[&str]) -> Option<PathBuf> {
    let output = Command::new(env::var_os("RUSTC")?).args(arguments).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !path.is_empty()).then(|| PathBuf::from(path))
}
