//! `haltbench replay`: replays a policy on a trace.

use std::path::PathBuf;

use haltbench_engine::trace::{Replay, Trace, replay};

use crate::assign;
use crate::catalogue;
use crate::failure::Failure;
use crate::output::Output;

/// Replay a policy on a trace
///
/// A trace holds the states, the logits or both of any model after every step. Prints a JSON object for each token,
/// with its depth and the policy's scores, weights or distribution over depths. The policy's weights come from the
/// trace. Depths are simulated: in a pass of the model, a token that halts may change what later tokens see.
/// docs/traces.md describes the format.
#[derive(Debug, clap::Args)]
pub struct ReplayArguments {
    /// The trace
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the policy (see `haltbench list policies`)
    #[arg(long, value_name = "NAME")]
    policy: String,
    /// Set a parameter of the policy (see `haltbench explain NAME`); once for each parameter
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// Steps a token may take at most; by default all that were recorded
    #[arg(long, value_name = "D")]
    max_depth: Option<usize>,
    /// Seed of the policy's draws, if it makes any
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Stage of the policy's training, from 1, whose objective is printed; by default the last
    #[arg(long, value_name = "N")]
    stage: Option<usize>,
}

/// Prints the decisions.
///
/// # Errors
/// If the trace is damaged, or the policy, a parameter or the depth does not fit it.
pub fn run(arguments: &ReplayArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let declaration = catalogue::load(plugins)?.policy(&arguments.policy)?;
    let parameters = assign::resolve(declaration.name, declaration.parameters, &arguments.assignments)?;
    let trace = Trace::open(&arguments.file)?;
    let &ReplayArguments { max_depth, seed, stage, .. } = arguments;
    let mut output = Output::new();
    let asked = Replay { declaration, parameters: &parameters, max_depth, seed, stage };
    replay(&trace, &asked, |token| output.json_line(token))?;
    output.flush()?;
    Ok(0)
}
