//! `haltbench bench`: timings as JSON or a few lines, with the operations that the arithmetic needs beside them.

mod data;
mod decode;
mod eval;
mod model;
mod step;

use std::path::PathBuf;

use clap::Subcommand;

use crate::failure::Failure;

/// Time a training step, an evaluation, decoding, or the drawing of instances
///
/// The first three come with the number of operations and the rate of a plain matrix product from the same run: quote
/// shares and ratios, not milliseconds.
#[derive(Debug, clap::Args)]
pub struct BenchArguments {
    #[command(subcommand)]
    stage: Stage,
}

#[derive(Debug, Subcommand)]
enum Stage {
    Step(step::StepArguments),
    Eval(eval::EvalArguments),
    Data(data::DataArguments),
    Decode(decode::DecodeArguments),
}

/// Takes the timing.
///
/// # Errors
/// If a size does not fit or the work fails.
pub fn run(arguments: &BenchArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    match &arguments.stage {
        Stage::Step(arguments) => step::run(arguments, plugins),
        Stage::Eval(arguments) => eval::run(arguments, plugins),
        Stage::Data(arguments) => data::run(arguments, plugins),
        Stage::Decode(arguments) => decode::run(arguments, plugins),
    }
}
