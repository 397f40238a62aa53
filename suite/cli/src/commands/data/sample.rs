//! `haltbench data sample`: instances of a task.

mod record;

use std::path::PathBuf;

use clap::ValueEnum;
use haltbench_engine::data::{Part, instance};
use haltbench_sdk::Error;
use haltbench_sdk::task::{Instance, Task, TokenSize};
use haltbench_sdk::visible::on_one_line;

use crate::commands::task::{ConfiguredTask, TaskArguments};
use crate::failure::Failure;
use crate::guard::guarded;
use crate::output::Output;
use record::Record;

/// Draw instances of a task
///
/// A seed and an index always give the same instance, for any --count. Indices start at --first.
#[derive(Debug, clap::Args)]
pub struct SampleArguments {
    #[command(flatten)]
    task: TaskArguments,
    /// Size of the instances, as the task defines it; omit it for tasks without a size
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    size: Option<u32>,
    /// Number of instances
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    count: u64,
    /// Index of the first instance
    #[arg(long, value_name = "INDEX", default_value_t = 0, allow_negative_numbers = true)]
    first: u64,
    /// Seed of the instances
    #[arg(long, value_name = "SEED", default_value_t = 0, allow_negative_numbers = true)]
    seed: u64,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Part of the problems to draw from; training and evaluation have no problem in common
    #[arg(long, value_enum, default_value_t = DrawnPart::Any)]
    part: DrawnPart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each instance: the question, =, the answer; a line end inside them is written as \\n
    Text,
    /// One JSON object for each instance, with tokens, targets, loss mask, complexities and features
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DrawnPart {
    /// All instances
    Any,
    /// Instances of the training part
    Train,
    /// Instances that are held out for evaluation
    HeldOut,
}

impl From<DrawnPart> for Part {
    fn from(part: DrawnPart) -> Self {
        match part {
            DrawnPart::Any => Self::Any,
            DrawnPart::Train => Self::Train,
            DrawnPart::HeldOut => Self::HeldOut,
        }
    }
}

/// Prints the instances.
///
/// # Errors
/// If the task, a parameter or the size is wrong.
pub fn run(arguments: &SampleArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let task = arguments.task.build(plugins)?;
    let size = task.size(arguments.size)?;
    let ConfiguredTask { name, task } = task;
    let part = Part::from(arguments.part);
    let mut output = Output::new();
    for index in arguments.first..arguments.first.saturating_add(arguments.count) {
        let instance = guarded(name, || instance(task.as_ref(), name, (arguments.seed, size, index), part))?;
        match arguments.format {
            Format::Text => output.text(&text(&instance))?,
            Format::Jsonl => {
                let text = instance.text(&task.spec().vocabulary);
                let token_sizes = guarded(name, || Ok::<_, Error>(token_sizes(task.as_ref(), size, &instance)))?;
                let (seed, spec, instance, token_sizes) = (arguments.seed, task.spec(), &instance, &token_sizes);
                output.json_line(&Record {
                    task: name,
                    size,
                    seed,
                    index,
                    text: &text,
                    spec,
                    instance,
                    token_sizes,
                })?;
            }
        }
    }
    output.flush()?;
    Ok(0)
}

/// Size of the problem that each graded token answers.
fn token_sizes(task: &dyn Task, size: u32, instance: &Instance) -> Vec<Option<TokenSize>> {
    let tokens = 0..instance.tokens.len();
    tokens.map(|token| instance.is_graded(token).then(|| task.token_size(size, instance, token))).collect()
}

/// The instance on one line.
fn text(instance: &Instance) -> String {
    let (question, answer) = (on_one_line(&instance.question), on_one_line(&instance.answer));
    format!("{question} = {answer}\n")
}
