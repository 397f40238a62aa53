//! `metrics.jsonl`: one line for each logged training step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomic;
use crate::error::Result;
use crate::files;

/// Most bytes of the file.
const LARGEST: u64 = 1 << 34;

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TrainingLine {
    /// Optimiser steps taken, 1-based.
    pub step: u64,
    /// Cross-entropy over answer tokens plus the regulariser over all tokens.
    pub loss: f64,
    /// Cross-entropy over answer tokens, in nats.
    pub cross_entropy: f64,
    /// The policy's regulariser, averaged over all tokens, and the backbone's.
    pub regulariser: f64,
    /// Share of answer tokens that are predicted rightly at their depths.
    pub accuracy: f64,
    /// Accuracy by size of the instances in the batch.
    pub accuracy_by_size: BTreeMap<u32, f64>,
    /// Mean depth over answer tokens.
    pub answer_depth: f64,
    /// Mean depth over all tokens.
    pub depth: f64,
    /// Share of all tokens at each of the depths 0, 1, ..., D: the mean of the policy's distribution over depths, or the
    /// depths of this pass if it has none. The line of step 1 shows the untrained policy.
    pub depth_shares: Vec<f64>,
    /// Euclidean norm of the gradient before clipping.
    pub gradient_norm: f64,
}

/// The lines so far. All of them are written with every checkpoint, so that the file never has lines that a resumed run
/// would write again.
pub struct MetricsLog {
    path: PathBuf,
    /// Steps with the text of their lines: parsing and printing a number again could change its last digit.
    lines: Vec<(u64, String)>,
}

impl MetricsLog {
    /// The log at `path`, truncated to the lines up to `step`. It ends before an incomplete or invalid line.
    pub fn open(path: &Path, step: u64) -> Self {
        let text = files::read_text(path, LARGEST).unwrap_or_default();
        let parsed = text.split_inclusive('\n').map_while(|line| {
            let line = line.strip_suffix('\n')?;
            Some((serde_json::from_str::<TrainingLine>(line).ok()?.step, line.to_owned()))
        });
        Self { path: path.to_owned(), lines: parsed.take_while(|(found, _)| *found <= step).collect() }
    }

    /// The steps that have a line.
    pub fn steps(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().map(|(step, _)| *step)
    }

    /// The parsed lines.
    pub fn lines(&self) -> impl Iterator<Item = TrainingLine> {
        self.lines.iter().filter_map(|(_, text)| serde_json::from_str(text).ok())
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`crate::Error::Cell`] if it cannot be written as JSON.
    pub fn push(&mut self, line: &TrainingLine) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|error| crate::Error::Cell(format!("metrics: {error}")))?;
        self.lines.push((line.step, text));
        Ok(())
    }

    /// Writes all lines.
    ///
    /// # Errors
    /// [`crate::Error::File`].
    pub fn save(&self) -> Result<()> {
        let text: String = self.lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
        write_atomic(&self.path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use haltbench_sdk::random::Stream;

    use super::*;

    /// A JSON parser changes the last digit of some of these numbers.
    #[test]
    fn a_log_that_is_read_and_saved_again_keeps_its_bytes_up_to_the_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut stream = Stream::new(0, "metrics", &[]);
        let mut log = MetricsLog::open(&path, 0);
        for step in 1..=2000 {
            let mut number = || stream.uniform() * 1e-3;
            let (loss, cross_entropy, regulariser) = (number(), number(), number());
            let (answer_depth, depth, gradient_norm) = (number(), number(), number());
            let (accuracy, accuracy_by_size) = (number(), [(3, number()), (4, number())].into());
            let depth_shares = vec![0.0, number(), number()];
            log.push(&TrainingLine {
                step,
                loss,
                cross_entropy,
                regulariser,
                accuracy,
                accuracy_by_size,
                answer_depth,
                depth,
                depth_shares,
                gradient_norm,
            })
            .unwrap();
        }
        log.save().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        MetricsLog::open(&path, 2000).save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);

        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        assert!(MetricsLog::open(&path, 2000).steps().eq(1..=1999), "a torn line is left out");
        MetricsLog::open(&path, 7).save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole.split_inclusive('\n').take(7).collect::<String>());
    }
}
