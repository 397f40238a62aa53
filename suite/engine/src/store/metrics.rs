//! `metrics.jsonl`: one line for each logged training step.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::write_atomic;
use crate::error::Result;

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TrainingLine {
    /// Optimiser steps taken, 1-based.
    pub step: u64,
    /// Cross-entropy over answer tokens plus the regulariser over all tokens.
    pub loss: f64,
    /// Cross-entropy over answer tokens, in nats.
    pub cross_entropy: f64,
    /// The policy's regulariser, averaged over all tokens.
    pub regulariser: f64,
    /// Mean depth over answer tokens.
    pub answer_depth: f64,
    /// Mean depth over all tokens.
    pub depth: f64,
    /// Euclidean norm of the gradient before clipping.
    pub gradient_norm: f64,
}

/// The lines so far. They are written whole with every checkpoint, so that the file never runs ahead of what a
/// resumed run would repeat.
pub struct MetricsLog {
    path: PathBuf,
    lines: Vec<TrainingLine>,
}

impl MetricsLog {
    /// The log at `path`, cut back to the lines up to `step`. A torn or foreign line ends it.
    pub fn open(path: &Path, step: u64) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let parsed = text.lines().map_while(|line| serde_json::from_str::<TrainingLine>(line).ok());
        Self { path: path.to_owned(), lines: parsed.take_while(|line| line.step <= step).collect() }
    }

    /// Adds a line.
    pub fn push(&mut self, line: TrainingLine) {
        self.lines.push(line);
    }

    /// Writes all lines.
    ///
    /// # Errors
    /// [`crate::Error::File`].
    pub fn save(&self) -> Result<()> {
        let line = |line: &TrainingLine| serde_json::to_string(line).map(|text| text + "\n");
        let text: String = self
            .lines
            .iter()
            .map(line)
            .collect::<Result<_, _>>()
            .map_err(|error| crate::Error::Cell(format!("metrics: {error}")))?;
        write_atomic(&self.path, text.as_bytes())
    }
}
