//! `haltbench worker`: a share of a suite, on one of several machines.

use std::path::PathBuf;
use std::str::FromStr;

use haltbench_engine::plan::{Cell, Shares};

use super::run::{Execution, Plan};
use crate::failure::Failure;

/// Train and evaluate a share of a suite's cells, together with other workers of the same runs folder
///
/// Any number of workers, on one machine or on several that share the runs folder, compute a suite together: each claims
/// a model or a cell before it computes it, and takes over what a dead worker has left. The results are those of one
/// `haltbench run`, byte for byte. A worker ends when all cells of its share are done or have failed.
#[derive(Debug, clap::Args)]
pub struct WorkerArguments {
    /// Path of a suite file, or the name of a built-in suite
    #[arg(long, value_name = "SUITE")]
    suite: String,
    /// Compute only the I-th of N shares, from 1. A cell is in the share of its model, and so are cells that read each
    /// other's depths and models that start from each other. By default all cells
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    execution: Execution,
}

/// One of several shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    /// From 0.
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index: index - 1, count }),
            _ => Err(format!("expected I/N with I from 1 to N, such as 2/8, found {text}")),
        }
    }
}

/// Computes the share.
///
/// # Errors
/// If the suite is wrong or the run folder cannot be used; failed cells are an exit status.
pub fn run(arguments: &WorkerArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let plan = Plan::of(&arguments.suite, &arguments.execution, plugins)?;
    let shares = arguments.shard.map(|shard| (Shares::of(&plan.suite, shard.count), shard.index));
    let wanted = |cell: &Cell| shares.as_ref().is_none_or(|(shares, index)| shares.share(cell) == *index);
    Ok(plan.execute(&wanted, false)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 1, count: 8 }));
        assert_eq!("1/1".parse(), Ok(Shard { index: 0, count: 1 }));
        for text in ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", ""] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error, format!("expected I/N with I from 1 to N, such as 2/8, found {text}"));
        }
    }
}
