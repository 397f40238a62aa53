//! `haltbench plugin`: write, build, check and list plugins.

mod build;
mod check;
mod list;
mod new;
mod template;
mod test;

use std::path::PathBuf;

use clap::Subcommand;

use crate::failure::Failure;

/// Write, build, check and list plugins
///
/// A plugin is a crate, or a single file of Rust, with policies, tasks or backbones. It may lie anywhere: it is compiled
/// against the very library that this program has loaded, which needs the same compiler, and the result goes into a folder
/// of its own, which is not searched for plugins. Name the crate or file with --plugin, or under `[plugins]` in a suite
/// file; it is built again whenever its sources are newer.
#[derive(Debug, clap::Args)]
pub struct PluginArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(new::NewArguments),
    Build(build::BuildArguments),
    Check(check::CheckArguments),
    Test(test::TestArguments),
    List(list::ListArguments),
}

/// Does what is asked.
///
/// # Errors
/// If a path, a name or a source is wrong.
pub fn run(arguments: &PluginArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    match &arguments.action {
        Action::New(arguments) => new::run(arguments, plugins),
        Action::Build(arguments) => build::run(arguments),
        Action::Check(arguments) => check::run(arguments, plugins),
        Action::Test(arguments) => test::run(arguments),
        Action::List(arguments) => list::run(arguments, plugins),
    }
}
