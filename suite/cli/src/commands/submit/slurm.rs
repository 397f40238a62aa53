//! `haltbench submit slurm`: a job array whose tasks each compute a share of the suite.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::{Handed, Job, shell, tasks, write};
use crate::failure::Failure;
use crate::notice;
use crate::output;

/// Submit a suite as a Slurm job array
///
/// Each task of the array runs `haltbench worker` on one share. Models and the cells that need them are in one share, so
/// tasks wait for nothing but a free node; shares have about equal work. A task that reaches its time limit writes a
/// checkpoint and is queued again. The script and the output of tasks are in the suite's folder, under `slurm`.
#[derive(Debug, clap::Args)]
pub struct SlurmArguments {
    #[command(flatten)]
    handed: Handed,
    /// Number of tasks; by default one for every half hour of work on this machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    tasks: Option<u16>,
    /// Time limit of a task, as sbatch takes it
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// How often a task that was stopped is queued again
    #[arg(long, value_name = "N", default_value = "3")]
    requeues: u16,
    /// Further options for sbatch, after `--`, such as --account=physics --gres=gpu:1
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

/// The default of Slurm's `MaxArraySize`; indices are smaller.
const MAX_ARRAY_SIZE: usize = 1001;

/// Submits the array.
///
/// # Errors
/// If the suite is wrong or Slurm cannot be used or refuses a job.
pub fn run(arguments: &SlurmArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let handed = &arguments.handed;
    let mut job = handed.job(plugins)?;
    let count = job.shares(arguments.tasks, plugins)?;
    let cores = handed.execution.cores.map_or(1, usize::from);
    job.worker.extend(["--cores".to_owned(), cores.to_string()]);
    let path = job.place("slurm").join("array.sh");
    let script = script(&job, count, arguments.requeues);
    let size = match array_size() {
        Ok(size) => size,
        Err(_) if handed.dry_run => MAX_ARRAY_SIZE,
        Err(failure) => return Err(failure),
    };
    let name = shell::text(path.as_os_str())?;
    let arrays = arrays(count, size)?;
    let command = |array: &Array| sbatch(arguments, &job, array, &name, cores);
    let commands = arrays.iter().map(command).collect::<Result<Vec<_>, Failure>>()?;
    if handed.dry_run {
        let lines: String = commands.iter().map(|command| shell::line(command) + "\n").collect();
        output::print(&format!("# {name}\n{script}\n# commands\n{lines}"))?;
        return Ok(0);
    }
    write(&path, &script)?;
    for (place, command) in commands.iter().enumerate() {
        let id = output_of(command).map_err(|message| {
            let left: String =
                commands[place..].iter().map(|command| format!("\n  {}", shell::line(command))).collect();
            let before = if place == 0 { "" } else { "; the arrays before it are queued" };
            Failure::with_status(format!("sbatch: {message}{before}. These were not submitted:{left}"), 1)
        })?;
        output::print(&format!("{id}\n"))?;
    }
    notice::line(&format!(
        "submitted {}; `squeue --me` shows them, {} has their output, and `haltbench plan` the state of every cell",
        tasks(count),
        job.place("slurm").display()
    ));
    Ok(0)
}

fn script(job: &Job, count: usize, requeues: u16) -> String {
    // Values come last, because they may contain the other marks.
    include_str!("array.sh")
        .replace("@COUNT@", &count.to_string())
        .replace("@REQUEUES@", &requeues.to_string())
        .replace("@CURRENT@", &shell::quoted(&job.current))
        .replace("@WORKER@", &shell::line(&job.worker))
}

/// A job array: tasks 1 to `length` compute the shares after the first `before`.
#[derive(Debug, PartialEq, Eq)]
struct Array {
    before: usize,
    length: usize,
}

/// Arrays for `count` shares, if indices are smaller than `size`.
fn arrays(count: usize, size: usize) -> Result<Vec<Array>, Failure> {
    let longest = size.saturating_sub(1);
    if longest == 0 {
        return Err(Failure::usage(format!("slurm: expected a MaxArraySize of at least 2, found {size}")));
    }
    let array = |before| Array { before, length: longest.min(count - before) };
    Ok((0..count).step_by(longest).map(array).collect())
}

/// The words of a command that submits an array.
fn sbatch(
    arguments: &SlurmArguments,
    job: &Job,
    array: &Array,
    script: &str,
    cores: usize,
) -> Result<Vec<String>, Failure> {
    let mut words = vec![
        "sbatch".to_owned(),
        "--parsable".to_owned(),
        format!("--job-name=haltbench-{}", job.suite.name),
        format!("--array=1-{}", array.length),
        "--requeue".to_owned(),
        "--signal=B:TERM@90".to_owned(),
        "--open-mode=append".to_owned(),
        format!("--output={}/%A_%a.txt", in_pattern(&shell::text(job.place("slurm").as_os_str())?)?),
        format!("--cpus-per-task={cores}"),
    ];
    words.extend(arguments.time.iter().map(|time| format!("--time={time}")));
    words.extend(arguments.partition.iter().map(|partition| format!("--partition={partition}")));
    words.extend(arguments.options.iter().cloned());
    words.extend([script.to_owned(), array.before.to_string()]);
    Ok(words)
}

/// A folder in the pattern of an output's path, where Slurm replaces characters after `%`.
fn in_pattern(folder: &str) -> Result<String, Failure> {
    if folder.contains('\\') {
        let message = format!("slurm: expected a runs folder without backslashes, which Slurm drops, found {folder}");
        return Err(Failure::usage(message));
    }
    Ok(folder.replace('%', "%%"))
}

/// The output of a command of Slurm, or why there is none.
fn output_of(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("no program `{program}`: is this a machine of a Slurm cluster?"),
            _ => format!("`{program}` cannot be started: {error}"),
        })?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&stderr).trim().to_owned()),
    }
}

/// `MaxArraySize` of the cluster.
fn array_size() -> Result<usize, Failure> {
    let text = output_of(&["scontrol", "show", "config"].map(str::to_owned))
        .map_err(|message| Failure::usage(format!("slurm: {message}; --dry-run prints what would be submitted")))?;
    Ok(max_array_size(&text).unwrap_or(MAX_ARRAY_SIZE))
}

fn max_array_size(config: &str) -> Option<usize> {
    let line = config.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize"))?;
    line.trim_start().strip_prefix('=')?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_stay_below_the_largest_index() {
        let lengths = |count, size| -> Vec<(usize, usize)> {
            arrays(count, size).unwrap().iter().map(|array| (array.before, array.length)).collect()
        };
        assert_eq!(lengths(8, 1001), [(0, 8)]);
        assert_eq!(lengths(1000, 1001), [(0, 1000)]);
        assert_eq!(lengths(1001, 1001), [(0, 1000), (1000, 1)]);
        assert_eq!(lengths(5, 3), [(0, 2), (2, 2), (4, 1)]);
        assert!(arrays(5, 1).is_err());
    }

    #[test]
    fn a_folder_is_none_of_slurms_patterns() {
        assert_eq!(in_pattern("/a %A/b").unwrap(), "/a %%A/b");
        assert!(in_pattern("/a\\b").unwrap_err().message().is_some_and(|message| message.contains("/a\\b")));
    }

    #[test]
    fn the_configuration_names_the_largest_index() {
        assert_eq!(max_array_size("A = 1\nMaxArraySize            = 1001\nMaxBatchRequeue = 5\n"), Some(1001));
        assert_eq!(max_array_size("A = 1\n"), None);
    }
}
