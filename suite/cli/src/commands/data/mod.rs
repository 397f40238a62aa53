//! `haltbench data`: instances of a task, its solver and its checker.

mod answer;
mod check;
mod sample;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::Failure;

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
