//! `haltbench completions`: the script that completes commands and flags in a shell.

use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

/// Print a script that completes commands and flags in a shell
///
/// For bash, run `source <(haltbench completions bash)` to use it in the current shell; add this line to ~/.bashrc to
/// use it in every shell.
#[derive(Debug, clap::Args)]
pub struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

/// Prints the script for `program`.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &CompletionsArguments, mut program: clap::Command) -> Result<i32, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "haltbench", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
