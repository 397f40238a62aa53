//! Lists the built-in suites: every TOML file in `suites/`.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=suites");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("suites");
    let mut names: Vec<String> = fs::read_dir(&folder)
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
