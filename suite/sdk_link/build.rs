//! Keeps a bundled build out of the usual target folder: its plugins are files of the same names with another SDK inside.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    let target = out.ancestors().nth(4).map(PathBuf::from).unwrap_or_default();
    let is_bundled = env::var_os("CARGO_FEATURE_BUNDLED").is_some();
    if is_bundled && !target.ends_with("bundled") {
        println!(
            "cargo::error=the feature `bundled` needs a target folder of its own, because it would replace the plugins in \
             {}: add `--target-dir target/bundled`",
            target.display()
        );
    }
}
