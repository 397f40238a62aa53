//! `haltbench plugin build`: compiles a plugin against this program.

use std::path::PathBuf;

use haltbench_engine::plugins::build::{Purpose, Source};
use haltbench_engine::plugins::load;

use crate::failure::Failure;
use crate::{output, sources};

/// Build a plugin against this program
///
/// Prints the path of the library. Cargo decides what to compile; the compiler's errors are shown as they are, with the
/// exit status 2. A dependency of the crate may be any crate but candle, which the SDK re-exports; it is downloaded if
/// this machine does not have it. `workspace = true` stands for the suite's workspace.
#[derive(Debug, clap::Args)]
pub struct BuildArguments {
    /// Folder of a crate, or a file of Rust
    #[arg(value_name = "DIR|FILE.rs")]
    path: PathBuf,
}

/// Builds the plugin and proves that this program loads it.
///
/// # Errors
/// If it does not compile or is refused.
pub fn run(arguments: &BuildArguments) -> Result<i32, Failure> {
    let built = sources::build(&source(&arguments.path)?, Purpose::Library)?;
    load(&built.file)?;
    output::print(&format!("{}\n", built.file.display()))?;
    Ok(0)
}

/// The sources at `path`.
///
/// # Errors
/// If there are none.
pub fn source(path: &std::path::Path) -> Result<Source, Failure> {
    Source::at(path)?.ok_or_else(|| {
        Failure::usage(format!(
            "{}: expected a folder with a crate or a file that ends in .rs, found neither",
            path.display()
        ))
    })
}
