//! `haltbench data`: instances of a task, its solver and its checker.

mod answer;
mod check;
mod sample;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use haltbench_sdk::task::Task;

use crate::assign;
use crate::catalogue;
use crate::failure::Failure;
use crate::guard::guarded;

/// Draw instances of a task, answer questions, check answers
#[derive(Debug, Args)]
pub struct DataArguments {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Sample(sample::SampleArguments),
    Answer(answer::AnswerArguments),
    Check(check::CheckArguments),
}

/// Runs one of the three.
///
/// # Errors
/// If the task or its parameters are wrong, or the input is.
pub fn run(arguments: &DataArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    match &arguments.command {
        DataCommand::Sample(arguments) => sample::run(arguments, plugins),
        DataCommand::Answer(arguments) => answer::run(arguments, plugins),
        DataCommand::Check(arguments) => check::run(arguments, plugins),
    }
}

/// Which task, configured how.
#[derive(Debug, Args)]
struct TaskArguments {
    /// Name of the task (see `haltbench list tasks`)
    #[arg(long, value_name = "TASK")]
    task: String,
    /// Set a parameter of the task (see `haltbench explain TASK`); may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

/// A configured task.
struct ConfiguredTask {
    name: &'static str,
    task: Box<dyn Task>,
}

impl TaskArguments {
    /// Finds and builds the task.
    fn build(&self, plugins: &[PathBuf]) -> Result<ConfiguredTask, Failure> {
        let declaration = catalogue::load(plugins)?.task(&self.task)?;
        let parameters = assign::resolve(declaration.name, declaration.parameters, &self.assignments)?;
        let task = guarded(declaration.name, || (declaration.build)(&parameters))?;
        Ok(ConfiguredTask { name: declaration.name, task })
    }
}
