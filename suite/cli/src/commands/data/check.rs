//! `haltbench data check`: checks given answers.

use std::path::PathBuf;

use crate::commands::task::TaskArguments;
use crate::failure::Failure;
use crate::guard::guarded;
use crate::jsonl;

/// Check answers that are given as JSON lines
///
/// Reads {"question": …, "answer": …} lines on standard input and writes {"valid": true or false, "reason": …} lines on
/// standard output. The checker is independent of the generator and of `haltbench data answer`. Writes one line of
/// output for each line of input, immediately and in order, and copies the key `id` if there is one. An answer that
/// does not parse is not valid. For a line that is not JSON, or whose question does not parse, the output is {"error":
/// …}, with a message on standard error; the exit status is then 4.
#[derive(Debug, clap::Args)]
pub struct CheckArguments {
    #[command(flatten)]
    task: TaskArguments,
}

/// Checks standard input.
///
/// # Errors
/// If the task is wrong, or in the end if a line could not be checked.
pub fn run(arguments: &CheckArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let configured = arguments.task.build(plugins)?;
    jsonl::converse(|object| {
        let (question, answer) = (jsonl::text(object, "question")?, jsonl::text(object, "answer")?);
        guarded(configured.name, || configured.task.check(question, answer)).map_err(|error| error.to_string())
    })
}
