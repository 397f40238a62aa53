//! `haltbench data answer`: solves given questions.

use std::path::PathBuf;

use serde::Serialize;

use crate::commands::task::TaskArguments;
use crate::failure::Failure;
use crate::guard::guarded;
use crate::jsonl;

/// Solve questions that are given as JSON lines
///
/// Reads {"question": …} lines on standard input and writes {"answer": …} lines on standard output. Writes one line of
/// output for each line of input, immediately and in order, and copies the key `id` if there is one. For a line that is
/// not JSON, or whose question does not parse, the output is {"error": …}, with a message on standard error; all other
/// lines are still solved, and the exit status is 4.
#[derive(Debug, clap::Args)]
pub struct AnswerArguments {
    #[command(flatten)]
    task: TaskArguments,
}

#[derive(Serialize)]
struct Answer {
    answer: String,
}

/// Answers standard input.
///
/// # Errors
/// If the task is wrong, or in the end if a line could not be answered.
pub fn run(arguments: &AnswerArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let configured = arguments.task.build(plugins)?;
    jsonl::converse(|object| {
        let question = jsonl::text(object, "question")?;
        let answer = guarded(configured.name, || configured.task.answer(question));
        answer.map(|answer| Answer { answer }).map_err(|error| error.to_string())
    })
}
