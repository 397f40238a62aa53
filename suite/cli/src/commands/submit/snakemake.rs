//! `haltbench submit snakemake`: a Snakefile with a rule for each share.

use std::path::PathBuf;

use super::{Handed, Job, shell, write};
use crate::failure::Failure;
use crate::notice;
use crate::output;

/// Write a Snakefile in which each share of a suite is a job, and print the command that runs it
#[derive(Debug, clap::Args)]
pub struct SnakemakeArguments {
    #[command(flatten)]
    handed: Handed,
    /// Number of shares; by default one for every half hour of work on this machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: Option<u16>,
}

/// Writes the file.
///
/// # Errors
/// If the suite is wrong or the file cannot be written.
pub fn run(arguments: &SnakemakeArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let handed = &arguments.handed;
    let job = handed.job(plugins)?;
    let count = job.shares(arguments.tasks, plugins)?;
    let cores = handed.execution.cores.map_or(1, usize::from);
    let path = job.place("snakemake").join("Snakefile");
    let text = snakefile(&job, count, cores)?;
    let name = shell::text(path.as_os_str())?;
    // What is done is looked for by the workers, so every share is asked again.
    let all = ["snakemake", "--snakefile", &name, "--cores", "all", "--keep-going", "--forceall"].map(str::to_owned);
    let command = shell::line(&all);
    if handed.dry_run {
        output::print(&format!("# {name}\n{text}\n{command}\n"))?;
        return Ok(0);
    }
    write(&path, &text)?;
    notice::line(&format!("{name} is written; run it, or submit it with a profile of your cluster:"));
    output::print(&format!("{command}\n"))?;
    Ok(0)
}

fn snakefile(job: &Job, count: usize, cores: usize) -> Result<String, Failure> {
    let folder = shell::text(job.place("snakemake").as_os_str())?;
    let command = format!("cd {} && exec {}", shell::quoted(&job.current), shell::line(&job.worker));
    // Snakemake replaces names in braces.
    let command = command.replace('{', "{{").replace('}', "}}");
    let command = format!("{command} --cores {{threads}} --shard {{wildcards.share}}/{count}");
    Ok(format!(
        "# A share holds models with all cells that need them, so no share waits for another.\n\
         workdir: {}\n\
         \n\
         rule all:\n    \
             input: expand(\"share-{{share}}.done\", share=range(1, {}))\n\
         \n\
         rule share:\n    \
             output: touch(\"share-{{share}}.done\")\n    \
             threads: {cores}\n    \
             shell: {}\n",
        literal(&folder)?,
        count + 1,
        literal(&command)?
    ))
}

/// A string of Python: JSON, which leaves all but control characters, quotes and backslashes as they are.
fn literal(text: &str) -> Result<String, Failure> {
    serde_json::to_string(text).map_err(|error| Failure::usage(error.to_string()))
}
