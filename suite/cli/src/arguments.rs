//! Command line of the program. Each command's flags are a struct beside the code of the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::analyze::AnalyzeArguments;
use crate::commands::audit::AuditArguments;
use crate::commands::bench::BenchArguments;
use crate::commands::compare::CompareArguments;
use crate::commands::completions::CompletionsArguments;
use crate::commands::compute::ComputeArguments;
use crate::commands::data::DataArguments;
use crate::commands::doctor::DoctorArguments;
use crate::commands::explain::ExplainArguments;
use crate::commands::leaderboard::LeaderboardArguments;
use crate::commands::list::ListArguments;
use crate::commands::plan::PlanArguments;
use crate::commands::plugin::PluginArguments;
use crate::commands::rehearse::RehearseArguments;
use crate::commands::replay::ReplayArguments;
use crate::commands::run::RunArguments;
use crate::commands::submit::SubmitArguments;
use crate::commands::trace::TraceArguments;
use crate::commands::trial::TrialArguments;
use crate::commands::worker::WorkerArguments;

/// A benchmark suite for token-level adaptive computation in recurrent Transformers
///
/// Trains, evaluates and compares halting policies, which decide how many steps each token takes, on tasks with known
/// per-token difficulty. Tasks, backbones and policies are plugins, loaded at run time.
#[derive(Debug, Parser)]
#[command(
    name = "haltbench",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_long_help = "\
Exit status:
  0        all well
  1        something failed while it ran: a cell, the disk, or the program itself
  2        the command line, a suite file, a path or a plugin's source is wrong
  3        a plugin was refused
  4        data are damaged
  129      the terminal was closed (SIGHUP); a run can be resumed
  130/143  interrupted by SIGINT/SIGTERM; a run can be resumed

Environment:
  HALTBENCH_PLUGINS  further folders with plugins, separated by colons
  HALTBENCH_BUILD    folder to build plugins in, instead of cargo's target folder or the caches
  NO_COLOR           if set, nothing is coloured

Results go to standard output, everything else to standard error."
)]
pub struct Arguments {
    /// Load this plugin before all plugins that are found: a folder with a crate or a file of Rust, which is built if its
    /// sources are newer than its library, or a library; may be given several times
    #[arg(long = "plugin", value_name = "PATH", global = true)]
    pub plugins: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands; their help texts are at their arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(ListArguments),
    Explain(ExplainArguments),
    Data(DataArguments),
    Plan(PlanArguments),
    Run(RunArguments),
    Submit(SubmitArguments),
    Worker(WorkerArguments),
    Leaderboard(LeaderboardArguments),
    Compare(CompareArguments),
    Analyze(AnalyzeArguments),
    Trace(TraceArguments),
    Replay(ReplayArguments),
    Bench(BenchArguments),
    Compute(ComputeArguments),
    Trial(TrialArguments),
    Audit(AuditArguments),
    Plugin(PluginArguments),
    Rehearse(RehearseArguments),
    Doctor(DoctorArguments),
    Completions(CompletionsArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_and_flag_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
