//! The command `haltbench`: parses the command line, runs the command, and returns the exit status.

mod arguments;
mod assign;
mod bundled;
mod catalogue;
mod commands;
mod failure;
mod finished;
mod guard;
mod isolate;
mod jsonl;
mod notice;
mod only;
mod output;
mod progress;
mod quantity;
mod signals;
mod sources;
mod table;

use clap::{CommandFactory, Parser};
use haltbench_engine::process;
use haltbench_sdk_dylib as _;

use arguments::{Arguments, Command};
use commands::{
    analyze, audit, bench, compare, completions, compute, data, doctor, explain, leaderboard, list, plan, plugin,
    rehearse, replay, run, submit, trace, trial, worker,
};
use failure::Failure;

fn main() {
    let_candles_threads_sleep();
    guard::quiet_panics();
    signals::survive_large_files();
    let arguments = Arguments::parse();
    let outcome = guard::caught(|| dispatch(&arguments)).unwrap_or_else(|message| Err(Failure::internal(&message)));
    let status = outcome.unwrap_or_else(|failure| failure.report());
    // Plugins stay open to the end: the destructors of their libraries could hang or crash.
    process::exit_without_destructors(status)
}

/// candle has its own threads for element-wise operations. After each operation they spin while waiting for the next,
/// on the cores that the suite's threads need, which made small steps a fifth slower. This does not override the
/// variable if the user has set it.
fn let_candles_threads_sleep() {
    const ROUNDS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";
    if std::env::var_os(ROUNDS).is_none() {
        // SAFETY: this is the first thing that the process does, so no other thread can read the environment.
        unsafe { std::env::set_var(ROUNDS, "1") };
    }
}

fn dispatch(arguments: &Arguments) -> Result<i32, Failure> {
    // Workers and rehearsals are given the libraries that the run has prepared. The other three load no plugin, or say
    // themselves what they cannot load.
    let prepared = match &arguments.command {
        Command::Worker(_)
        | Command::Rehearse(_)
        | Command::Completions(_)
        | Command::Plugin(_)
        | Command::Doctor(_) => arguments.plugins.clone(),
        _ => sources::prepare(&arguments.plugins)?,
    };
    let plugins = &prepared;
    match &arguments.command {
        Command::List(arguments) => list::run(arguments, plugins),
        Command::Explain(arguments) => explain::run(arguments, plugins),
        Command::Data(arguments) => data::run(arguments, plugins),
        Command::Plan(arguments) => plan::run(arguments, plugins),
        Command::Run(arguments) => run::run(arguments, plugins),
        Command::Submit(arguments) => submit::run(arguments, plugins),
        Command::Worker(arguments) => worker::run(arguments, plugins),
        Command::Leaderboard(arguments) => leaderboard::run(arguments, plugins),
        Command::Compare(arguments) => compare::run(arguments, plugins),
        Command::Analyze(arguments) => analyze::run(arguments, plugins),
        Command::Trace(arguments) => trace::run(arguments, plugins),
        Command::Replay(arguments) => replay::run(arguments, plugins),
        Command::Bench(arguments) => bench::run(arguments, plugins),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Trial(arguments) => trial::run(arguments),
        Command::Compute(arguments) => compute::run(arguments, plugins),
        Command::Rehearse(arguments) => rehearse::run(arguments, plugins),
        Command::Plugin(arguments) => plugin::run(arguments, plugins),
        Command::Doctor(arguments) => doctor::run(arguments, plugins),
        Command::Completions(arguments) => completions::run(arguments, Arguments::command()),
    }
}
