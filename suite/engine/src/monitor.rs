//! Monitor of long work, which can also stop it.

use serde::{Deserialize, Serialize};

use crate::store::TrainingLine;

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Search for distinct instances of the evaluation.
    Drawing,
    /// Optimiser steps.
    Training,
    /// Batches of the evaluation.
    Evaluating,
    /// Measures and files.
    Measuring,
    /// Passes against the clock.
    Timing,
}

/// Receives a worker's progress, and can stop it.
pub trait Monitor {
    /// `done` of `total` steps or batches of a stage; `line` is the last training step.
    fn progress(&self, stage: Stage, done: u64, total: u64, line: Option<&TrainingLine>);

    /// Something that the log of the work should say.
    fn notice(&self, _: &str) {}

    /// The work waits for another run.
    fn waiting(&self) {}

    /// The signal that asked the process to stop, if any.
    fn interrupted(&self) -> Option<i32>;
}

/// Hides progress: for work that is part of a stage already reported.
pub struct Unseen<'a>(pub &'a dyn Monitor);

impl Monitor for Unseen<'_> {
    fn progress(&self, _: Stage, _: u64, _: u64, _: Option<&TrainingLine>) {}

    fn interrupted(&self) -> Option<i32> {
        self.0.interrupted()
    }
}
