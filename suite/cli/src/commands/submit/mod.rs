//! `haltbench submit`: hands a suite to an engine that exists.

mod local;
mod shell;
mod slurm;
mod snakemake;

use std::path::{Path, PathBuf};
use std::{fs, thread};

use haltbench_engine::forecast::forecast;
use haltbench_engine::plan::{Suite, built_in, most_shares};
use haltbench_engine::store::RunFolder;

use super::run::{self, Execution, Plan};
use crate::catalogue;
use crate::failure::Failure;
use crate::notice;
use crate::quantity::duration;

/// Hand a suite to several workers: on this machine, as a Slurm job array, or as a Snakemake file
///
/// All of them start `haltbench worker`, and the results are those of one `haltbench run`, byte for byte. Submit again to
/// continue: what is done is kept.
#[derive(Debug, clap::Args)]
pub struct SubmitArguments {
    #[command(subcommand)]
    engine: Engine,
}

#[derive(Debug, clap::Subcommand)]
enum Engine {
    Local(local::LocalArguments),
    Slurm(slurm::SlurmArguments),
    Snakemake(snakemake::SnakemakeArguments),
}

/// What is handed over, and how it is computed.
#[derive(Debug, clap::Args)]
struct Handed {
    /// Path of a suite file, or the name of a built-in suite
    suite: String,
    #[command(flatten)]
    execution: Execution,
    /// Print what would be written and run, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Hands the suite over.
///
/// # Errors
/// If the suite is wrong, or the engine cannot be used or refuses it.
pub fn run(arguments: &SubmitArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    match &arguments.engine {
        Engine::Local(arguments) => local::run(arguments, plugins),
        Engine::Slurm(arguments) => slurm::run(arguments, plugins),
        Engine::Snakemake(arguments) => snakemake::run(arguments, plugins),
    }
}

/// A suite that no plugin refuses.
struct Job {
    suite: Suite,
    /// The folder of its results; absolute.
    folder: RunFolder,
    /// The folder that relative paths of the suite start from.
    current: String,
    /// The command line of a worker, without `--shard` and `--cores`.
    worker: Vec<String>,
}

impl Handed {
    /// Plans the suite and tries its plans.
    fn job(&self, plugins: &[PathBuf]) -> Result<Job, Failure> {
        let Plan { suite, plugins: all, .. } = Plan::of(&self.suite, &self.execution, plugins)?;
        run::rehearse(&suite, &all, (run::TRIAL, None), &|| None)?;
        let is_built_in = built_in().iter().any(|(name, _)| *name == self.suite);
        let name = match !is_built_in && Path::new(&self.suite).is_file() {
            true => run::absolute(Path::new(&self.suite)),
            false => PathBuf::from(&self.suite),
        };
        let mut worker = vec![run::program()?.into(), "worker".into(), "--suite".into(), name.into_os_string()];
        worker.extend(self.execution.flags());
        for plugin in run::all_absolute(plugins) {
            worker.extend(["--plugin".into(), plugin.into()]);
        }
        let current =
            std::env::current_dir().map_err(|error| Failure::usage(format!("the current folder: {error}")))?;
        Ok(Job {
            folder: RunFolder::new(&run::absolute(&self.execution.runs), &suite.name),
            suite,
            current: shell::text(current.as_os_str())?,
            worker: worker.iter().map(|word| shell::text(word)).collect::<Result<_, _>>()?,
        })
    }

    /// Cores of each of `count` workers on this machine.
    fn cores(&self, count: usize) -> usize {
        let all = thread::available_parallelism().map_or(1, usize::from);
        self.execution.cores.map_or((all / count.max(1)).max(1), usize::from)
    }
}

/// Seconds of work for one task, if the number of tasks is not given: a scheduler takes seconds to start one.
const TASK: f64 = 1800.0;

impl Job {
    /// The number of shares: as many as asked for, or enough for [`TASK`] each, but none that would be empty.
    fn shares(&self, asked: Option<u16>, plugins: &[PathBuf]) -> Result<usize, Failure> {
        let most = most_shares(&self.suite);
        let Some(asked) = asked.map(usize::from) else {
            let seconds = forecast(&self.suite, &catalogue::load(plugins)?, &|_| true)?.seconds();
            let count = ((seconds / TASK).ceil() as usize).clamp(1, most);
            notice::say("note", &format!("{} of work on this machine, in {}", duration(seconds), tasks(count)));
            return Ok(count);
        };
        if asked > most {
            let message = format!("--tasks {asked}: the suite has work for {}, so there are no more", tasks(most));
            notice::say("note", &message);
        }
        Ok(asked.min(most))
    }

    /// The folder for the files of an engine.
    fn place(&self, engine: &str) -> PathBuf {
        self.folder.path().join(engine)
    }
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

/// Writes a file for an engine, and its folder.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|error| Failure::usage(format!("{}: cannot be written: {error}", path.display())))
}
