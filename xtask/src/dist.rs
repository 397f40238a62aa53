//! The folder that runs without cargo.
//!
//! ```text
//! bin/haltbench
//! lib/libhaltbench_sdk_dylib.so, libstd-*.so   found by the program's run path
//! lib/haltbench/*.so                           plugins
//! lib/haltbench/sdk/                           what the compiler reads to build a plugin against the shared library
//! licences/, LICENSE-*, README.md, docs/
//! ```

use crate::files::{copy, file_name, files};
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::{cargo, licences};

/// Lays out the folder and returns it.
///
/// # Errors
/// If the program does not build, the folder exists, or a file cannot be copied.
pub fn lay_out(out: Option<PathBuf>) -> Result<PathBuf, String> {
    let name = format!("haltbench-{}-{}", env!("CARGO_PKG_VERSION"), cargo::target()?);
    let out = out.unwrap_or_else(|| cargo::root().join("target/dist").join(name));
    if out.exists() {
        return Err(format!("{}: expected a new folder, found one that exists", out.display()));
    }
    let artefacts = cargo::build()?;
    let program = artefacts.iter().map(|artefact| &artefact.file).find(|file| file.ends_with("debug/haltbench"));
    copy(program.ok_or("cargo built no program")?, &out.join("bin"))?;

    let libraries = PathBuf::from(cargo::output("rustc", &["--print", "target-libdir"])?.trim());
    let standard = files(&libraries)?.into_iter().find(|file| {
        let name = file_name(file);
        name.starts_with("libstd-") && name.ends_with(".so")
    });
    let standard = standard.ok_or_else(|| format!("{}: holds no libstd-*.so", libraries.display()))?;
    copy(&standard, &out.join("lib"))?;

    let below = cargo::packages_of("haltbench_sdk_dylib")?;
    let below: BTreeSet<&str> = below.iter().map(|package| package.id.as_str()).collect();
    for artefact in &artefacts {
        let name = file_name(&artefact.file);
        if name == "libhaltbench_sdk_dylib.so" {
            copy(&artefact.file, &out.join("lib"))?;
        } else if name.starts_with("libhaltbench_") && name.ends_with(".so") {
            copy(&artefact.file, &out.join("lib/haltbench"))?;
        } else if below.contains(artefact.package.as_str()) && [".rmeta", ".so"].iter().any(|end| name.ends_with(end)) {
            // The compiler also opens the procedural macros that these crates name.
            copy(&artefact.file, &out.join("lib/haltbench/sdk"))?;
        }
    }
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        copy(&cargo::root().join(file), &out)?;
    }
    for page in files(&cargo::root().join("docs"))? {
        copy(&page, &out.join("docs"))?;
    }
    licences::collect(&libraries, &out.join("licences"))?;
    Ok(out)
}
