//! What a leaderboard is: the structure that every format is written from, and the one that `json` writes.

use std::collections::BTreeMap;

use haltbench_engine::store::{BaselineResult, MetricRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of [`Leaderboard`]'s schema.
pub const LEADERBOARD_SCHEMA: u32 = 2;

/// The leaderboards of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leaderboard {
    /// Version of this schema.
    pub schema: u32,
    /// Name of the suite.
    pub suite: String,
    /// What ranks and the order of rows are made from.
    pub order: Order,
    /// Level of every interval, 0.95.
    pub level: f64,
    /// Resamples of every interval.
    pub resamples: usize,
    /// Key of the resamples' random stream.
    pub resampling_seed: u64,
    /// One board for each task and backbone, in the order of the suite.
    pub boards: Vec<Board>,
}

/// What rows are ranked by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Name of the criterion, as `--sort` takes it.
    pub criterion: String,
    /// Name of the measure in [`Row::metrics`].
    pub metric: String,
    /// Split of the measure; null for all sizes together.
    pub split: Option<String>,
    /// Whether less is better.
    pub ascending: bool,
    /// The criterion in words.
    pub description: String,
}

/// The policies of one task and backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// Task and backbone, with the parameters that tell this board from the others of the suite.
    pub name: String,
    /// The task.
    pub task: Implementation,
    /// The backbone.
    pub backbone: Implementation,
    /// Settings that all cells share.
    pub settings: Settings,
    /// Seeds of the suite, ascending.
    pub seeds: Vec<u64>,
    /// The complexity that depth is compared with; null as long as no cell is done.
    pub complexity: Option<String>,
    /// What the intervals account for, in words.
    pub intervals: String,
    /// What a reader should know before believing a number.
    pub warnings: Vec<String>,
    /// The policies: ranked ones first.
    pub rows: Vec<Row>,
    /// What guesses score on the same instances that do not solve the task; empty as long as no cell is done.
    pub baselines: Vec<BaselineResult>,
    /// Cells without a result, by policy and seed.
    pub missing: Vec<MissingCell>,
}

/// A task or a backbone with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Implementation {
    /// Its name.
    pub name: String,
    /// All parameters.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Names of the parameters that are not at their defaults; all of them where the defaults are not known.
    pub changed: Vec<String>,
}

/// Settings that all cells of a board share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// cpu or cuda.
    pub device: String,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// What halted tokens offer as keys and values.
    pub halted_keys_values: String,
    /// Optimiser steps.
    pub training_steps: u64,
    /// Instances evaluated for each size.
    pub instances: usize,
}

/// One policy over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Where it stands.
    pub place: Place,
    /// How reports call the policy; unique within the board.
    pub policy: String,
    /// Name of the implementation.
    pub name: String,
    /// Label of the policy that it borrows weights and depths from.
    pub of: Option<String>,
    /// early, online, soft or select; null as long as no cell is done.
    pub kind: Option<String>,
    /// Whether it claims to be causal; null as long as no cell is done.
    pub causal: Option<bool>,
    /// Whether it is a control; null as long as no cell is done.
    pub control: Option<bool>,
    /// Whether it is an oracle; null as long as no cell is done.
    pub oracle: Option<bool>,
    /// Seeds that the suite plans, ascending.
    pub seeds_planned: Vec<u64>,
    /// Seeds that are done and that the numbers are of, ascending.
    pub seeds_done: Vec<u64>,
    /// The measures.
    ///
    /// * `token_accuracy`, `exact_match`: shares of answer tokens and of sequences, for each split that exists;
    /// * `answer_depth`, `depth`: mean steps of answer tokens and of all tokens, at sizes trained on;
    /// * `flops`: executed operations for each token, decisions included. For all sizes together it is what the ledger
    ///   recorded; at sizes trained on, the ledger's cost is shared out over sequences by their token-steps;
    /// * `flops_share`: the same for all sizes together, as a share of all D steps without decisions;
    /// * `speed_up`: wall-clock of all D steps by that of skipping halted tokens, mean over seeds, no interval;
    /// * `adapt_gain`: `token_accuracy` above that of fixed depths at the same `flops`, both at sizes trained on;
    /// * `saturation`: share of answer tokens that ran to D;
    /// * `spearman`, `spearman_within_size`, `spearman_partial`: alignment of depth with the complexity;
    /// * `token_accuracy_by_level`, `answer_depth_by_level`: both for each level of the complexity;
    /// * of tasks with several right answers, `generated_accepted`: the share of questions that the model, writing the
    ///   likeliest token each time, answers with what the checker accepts;
    /// * of tasks that are languages, everything that the task says about generated strings (`generated_…`, among them
    ///   `generated_spearman`: depth against each complexity, on strings of the language or not) and about
    ///   expectations along the strings of the evaluation (`teacher_forced_…`): of several seeds the mean, without an
    ///   interval.
    pub metrics: Vec<MetricRow>,
}

/// Where a row stands. Ranks and groups count from 1, the best; all are null together, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Best rank of the interval.
    pub rank_low: Option<usize>,
    /// Worst rank of the interval.
    pub rank_high: Option<usize>,
    /// Tie group: its members are not distinguishable from its first one.
    pub group: Option<usize>,
    /// Why the row is unranked.
    pub reason: Option<String>,
}

/// A cell without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingCell {
    /// Identifier of the cell.
    pub cell: String,
    /// The policy, as in [`Row::policy`].
    pub policy: String,
    /// Seed.
    pub seed: u64,
    /// pending, running or failed.
    pub state: String,
    /// Why it failed, or what can be done.
    pub cause: String,
}

impl Board {
    /// Whether every cell is done.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Row {
    /// Whether every seed is done.
    pub fn is_complete(&self) -> bool {
        self.seeds_done == self.seeds_planned
    }

    /// The measure of this name and split, not by level.
    pub fn metric(&self, metric: &str, split: Option<&str>) -> Option<&MetricRow> {
        find(&self.metrics, metric, split)
    }
}

/// The measure of this name and split, not by level.
pub(crate) fn find<'a>(metrics: &'a [MetricRow], metric: &str, split: Option<&str>) -> Option<&'a MetricRow> {
    metrics.iter().find(|row| row.metric == metric && row.split.as_deref() == split && row.level.is_none())
}
