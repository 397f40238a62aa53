//! `haltbench completions`: the script that completes commands and flags in a shell.

use clap_complete::Shell;

use crate::failure::Failure;
use crate::output;

/// Print a script that completes commands and flags in a shell
///
/// For bash, `source <(haltbench completions bash)` makes it work in the running shell; a line like that in the
/// shell's start-up file makes it work always.
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
