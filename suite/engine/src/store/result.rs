//! `result.json` and `timings.json`.

use std::collections::BTreeMap;

use haltbench_analysis::{Estimate, IntervalMethod, Population, Reason, Split};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::checks::Checks;
use super::metrics::TrainingLine;
use super::record::Record;
use crate::ledger::Ledger;
use crate::plan::{CellPlan, ModelPlan};

/// Version of [`CellResult`]'s schema.
pub const RESULT_SCHEMA: u32 = 7;

/// Version of [`ModelResult`]'s schema.
pub const MODEL_RESULT_SCHEMA: u32 = 1;

/// `result.json` of a model. Nothing in it depends on the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelResult {
    /// Version of this schema.
    pub schema: u32,
    /// Identifier of the model: hash of its plan.
    pub model: String,
    /// Optimiser steps that it was trained for.
    pub steps: u64,
    /// Number of weights by part; `total` is their sum.
    pub weights: BTreeMap<String, u64>,
    /// Compiler, candle version and fingerprints of the code that computed it.
    pub environment: BTreeMap<String, String>,
    /// blake3 of the other files of the model.
    pub files: BTreeMap<String, String>,
}

impl Record for ModelResult {
    const OF: &'static str = "model";
    const SCHEMA: u32 = MODEL_RESULT_SCHEMA;
    type Plan = ModelPlan;

    fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }
}

impl Record for CellResult {
    const OF: &'static str = "cell";
    const SCHEMA: u32 = RESULT_SCHEMA;
    type Plan = CellPlan;

    fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }
}

/// `result.json` of a cell. Nothing in it depends on the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellResult {
    /// Version of this schema.
    pub schema: u32,
    /// Identifier of the cell: hash of its plan.
    pub cell: String,
    /// Identifier of the model that was evaluated.
    pub model: String,
    /// Name of the task.
    pub task: String,
    /// Name of the backbone.
    pub backbone: String,
    /// Name of the policy.
    pub policy: String,
    /// Identifier of the cell whose depths the policy reads, if it reads any.
    pub source: Option<String>,
    /// early, online, soft or select.
    pub kind: String,
    /// Whether the policy claims to be causal.
    pub causal: bool,
    /// Whether it is an oracle.
    pub uses_labels: bool,
    /// Whether its decisions changed more than depths: outputs, states, gates, or keys and values. Depths alone then do not
    /// determine the predictions.
    pub alters_states: bool,
    /// Role on a leaderboard: policy, fixed-depth, fixed-answer-depth, cue, shuffled or control.
    pub role: String,
    /// Seed.
    pub seed: u64,
    /// `cpu` or `cuda`.
    pub device: String,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// The complexity that reports show first.
    pub headline: String,
    /// The task's static features: countable from the prompt or the position.
    pub static_features: Vec<String>,
    /// Number of weights by part; `total` is their sum.
    pub weights: BTreeMap<String, u64>,
    /// Values that the policy chose on the calibration part, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calibrated: BTreeMap<String, f64>,
    /// Claims of the policy, checked on a few sequences.
    pub checks: Checks,
    /// Cost of the evaluation.
    pub ledger: Ledger,
    /// Tidy rows of measures. For tasks that are languages, names that start with `generated_` are measures of strings
    /// that the model drew at temperature 1, and names that start with `teacher_forced_` are measures of its
    /// predictions along the strings of the evaluation. `generated_spearman` is the correlation of depth with each
    /// complexity along its own strings, even those outside the language; `_expected` stands for the mean of the
    /// policy's distribution instead of the depth, `_at_token` for the position where the token itself is read. For
    /// tasks with several right answers, `generated_accepted` is the share of questions for which the checker accepts
    /// the model's greedily generated answer.
    pub metrics: Vec<MetricRow>,
    /// Scores of guesses on the same instances.
    pub guesses: Vec<GuessResult>,
    /// Compiler, candle version and fingerprints of the code that computed it.
    pub environment: BTreeMap<String, String>,
    /// blake3 of the other files of the cell.
    pub files: BTreeMap<String, String>,
}

/// A guess and its scores, which depend only on the task and the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuessResult {
    /// Its name.
    pub name: String,
    /// One sentence that says what it guesses.
    pub documentation: String,
    /// `token_accuracy` and `exact_match` for each split that exists.
    pub metrics: Vec<MetricRow>,
}

/// One measure. A number that cannot be computed is null and has a reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricRow {
    /// Name of the measure.
    pub metric: String,
    /// in_range, embedded, between or beyond; null for all sizes together.
    pub split: Option<String>,
    /// all, or correct_only.
    pub population: String,
    /// Name of the complexity it refers to.
    pub complexity: Option<String>,
    /// Value of that complexity.
    pub level: Option<f64>,
    /// Value.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub high: Option<f64>,
    /// How the interval was computed.
    pub method: Option<String>,
    /// Number of tokens or instances.
    pub count: usize,
    /// Why a number is missing.
    pub reason: Option<String>,
}

impl MetricRow {
    /// A row from an estimate.
    pub fn new(metric: &str, split: Option<Split>, population: Population, estimate: &Estimate) -> Self {
        Self {
            metric: metric.to_owned(),
            split: split.map(|split| split.name().to_owned()),
            population: match population {
                Population::All => "all".to_owned(),
                Population::CorrectOnly => "correct_only".to_owned(),
            },
            complexity: None,
            level: None,
            value: estimate.value,
            low: estimate.low,
            high: estimate.high,
            method: estimate.method.as_ref().map(IntervalMethod::to_string),
            count: estimate.count,
            reason: estimate.reason.as_ref().map(Reason::to_string),
        }
    }
}

/// `timings.json`: everything that depends on the clock or the machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// When the model or cell finished, seconds since 1970.
    pub finished_unix_seconds: u64,
    /// For models: seconds spent training, over all resumptions.
    pub training_seconds: f64,
    /// Optimiser steps made in `training_seconds`.
    pub training_steps: u64,
    /// For cells: seconds spent evaluating, with halted tokens skipped.
    pub evaluation_seconds: f64,
    /// Speed-up from skipping halted tokens, measured once all cells of the run are done.
    pub speed: Option<Speed>,
    /// Threads that trained and evaluated.
    pub threads: usize,
    /// Largest resident memory of the process, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

impl Timings {
    /// Whether all times are positive and finite, or zero where nothing was timed.
    pub fn is_sound(&self) -> bool {
        let pairs = self.speed.iter().flat_map(|speed| speed.pairs.iter().flatten());
        let spent = [self.training_seconds, self.evaluation_seconds];
        pairs.clone().all(|seconds| *seconds > 0.0 && seconds.is_finite())
            && spent.into_iter().all(|seconds| seconds >= 0.0 && seconds.is_finite())
    }
}

/// Times of the policy's pass and of a pass at fixed depth D without decisions, on the same weights and batches of
/// training sizes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Speed {
    /// Seconds of the policy's pass and of the fixed-depth pass, measured alternately while nothing else of the run is
    /// working.
    pub pairs: Vec<[f64; 2]>,
    /// Batches in a pass.
    pub batches: usize,
    /// Number of threads.
    pub threads: usize,
}

impl Speed {
    /// Whether every time is a positive number: a worker runs plugins, which may have said anything.
    pub fn is_sound(&self) -> bool {
        self.pairs.iter().flatten().all(|seconds| seconds.is_finite() && *seconds > 0.0)
    }
}

/// The published schemas by file name.
pub fn schema() -> BTreeMap<&'static str, Schema> {
    BTreeMap::from([
        ("result.schema.json", schema_for!(CellResult)),
        ("model.schema.json", schema_for!(ModelResult)),
        ("timings.schema.json", schema_for!(Timings)),
        ("metrics.schema.json", schema_for!(TrainingLine)),
    ])
}
