//! The structure of a leaderboard, from which every format is written; `json` writes it as it is.

use std::collections::BTreeMap;

use haltbench_engine::store::{GuessResult, MetricRow};
use haltbench_sdk::policy::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::collapse::Collapse;
use crate::target::{Calibrated, Target};

/// Version of [`Leaderboard`]'s schema.
pub const LEADERBOARD_SCHEMA: u32 = 7;

/// The leaderboards of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leaderboard {
    /// Version of this schema.
    pub schema: u32,
    /// Name of the suite.
    pub suite: String,
    /// Measure that rows are ranked and ordered by.
    pub order: Order,
    /// Target for choosing settings of knobs on the calibration part.
    pub target: Target,
    /// Level of every interval, 0.95.
    pub level: f64,
    /// One board for each task and backbone, in the order of the suite.
    pub boards: Vec<Board>,
}

/// Measure that rows are ranked by.
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
    /// The complexity that depth is compared with; null until a cell is done.
    pub complexity: Option<String>,
    /// Training sizes among the evaluated problem sizes, ascending.
    pub trained_sizes: Vec<u32>,
    /// Static features that `spearman_partial_static` takes out, besides the token that is read.
    pub static_features: Vec<String>,
    /// Static features that it does not, because they are not defined for all answer tokens.
    pub static_features_left_out: Vec<String>,
    /// Number of last-read tokens that `spearman_partial_static` takes out as well.
    pub local_context: Option<usize>,
    /// Whether it takes out the place as well, with a column for every size and position.
    pub place_taken_out: bool,
    /// What the intervals account for, in words.
    pub intervals: String,
    /// Warnings about the numbers.
    pub warnings: Vec<String>,
    /// The policies: ranked ones first.
    pub rows: Vec<Row>,
    /// All pairs of ranked policies, the better one first.
    pub differences: Vec<PairDifference>,
    /// Scores of guesses on the same instances; empty until a cell is done.
    pub guesses: Vec<GuessResult>,
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
    /// Names of the parameters that are not at their defaults; all names if the defaults are unknown.
    pub changed: Vec<String>,
}

/// Settings that all cells of a board share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// cpu or cuda.
    pub device: String,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// Optimiser steps.
    pub training_steps: u64,
    /// Instances evaluated for each size.
    pub instances: usize,
}

/// One policy over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Its rank.
    pub place: Place,
    /// Label of the policy, unique within the board.
    pub policy: String,
    /// Name of the implementation.
    pub name: String,
    /// Label of the policy whose model is evaluated, and whose depths a control reads, if another's.
    pub of: Option<String>,
    /// Its setting of knobs, if the policy has several settings.
    pub setting: Option<Setting>,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// early, online, soft or select; null until a cell is done.
    pub kind: Option<String>,
    /// Whether it claims to be causal; null until a cell is done.
    pub causal: Option<bool>,
    /// Its claims that spot checks of its evaluations refuted, in words; such a row is not ranked.
    pub broken_claims: Vec<String>,
    /// Role: policy, fixed-depth, fixed-answer-depth, cue, shuffled or control; null while unknown.
    pub role: Option<String>,
    /// Whether it is an oracle; null until a cell is done.
    pub oracle: Option<bool>,
    /// Seeds that the suite plans, ascending.
    pub seeds_planned: Vec<u64>,
    /// Seeds that are done, which the numbers cover, ascending.
    pub seeds_done: Vec<u64>,
    /// How its depths have collapsed, if they have.
    pub collapse: Option<Collapse>,
    /// The surface cue that `beyond_cues` compares with: the best cue control of this policy.
    pub best_cue: Option<String>,
    /// The measures, at sizes trained on unless it says otherwise. A token is of the size of its own problem, a
    /// sequence as hard as its hardest token.
    ///
    /// * `token_accuracy`, `exact_match`: shares of answer tokens and of sequences, for each split that exists;
    /// * `answer_depth`, `depth`: mean steps of answer tokens and of all tokens of the sequences;
    /// * `trained_accuracy`, `trained_answer_depth`, `trained_depth`: the same at the end of training, where depths may
    ///   be sampled; mean over seeds, and t over seeds;
    /// * `flops`: executed operations for each token of the sequences, decisions included;
    /// * `flops_share`: the same as a share of all D steps without decisions;
    /// * `speed`: seconds of all D steps without decisions by seconds of the policy, geometric mean; null where its
    ///   interval contains 1;
    /// * `adapt_gain`: `token_accuracy` above the mixtures of fixed depths of the same `flops`. Below the cheapest
    ///   fixed depth there is no such number, but `adapt_gain_lower`, accuracy above that depth's, and
    ///   `adapt_gain_upper`, accuracy above the mixtures of fixed depths and the best guess at no cost;
    /// * `adapt_gain_answers`, with the same bounds: above fixed depths of answers whose prompts take one step;
    /// * `beyond_cues`: `adapt_gain` minus that of the best surface cue of this policy, [`Row::best_cue`];
    /// * `against_source`: `token_accuracy` of a control minus that of the policy whose depths it reads, [`Row::of`];
    /// * `first_step`: share of answer tokens that take no second step;
    /// * `initial_depth_share`: share of all tokens at each depth, the `level`, before training;
    /// * `saturation`: share of answer tokens that ran to D;
    /// * `spearman`, `spearman_above_lowest` (without the lowest level), `spearman_within_size`, `spearman_partial` (on
    ///   size and position), `spearman_partial_static` (on static features and the last tokens read): depth against
    ///   the complexity;
    /// * `spearman_at_token`, `spearman_expected`, `spearman_expected_at_token`: the same of steps at the token's own
    ///   position, and of the mean of the policy's distribution over depths at both places;
    /// * `token_accuracy_by_level`, `answer_depth_by_level`: both for each level of the complexity;
    /// * `answer_depth_increment`: depth of the level minus that of the level below;
    /// * `token_accuracy_by_size`, `answer_depth_by_size`: both for each size of tokens' own problems, over all splits;
    ///   `level` is the size;
    /// * of tasks with several right answers, `generated_accepted`: the share of questions that the model, writing the
    ///   likeliest token each time, answers with what the checker accepts;
    /// * of tasks that are languages, everything that the task says about generated strings (`generated_…`, among them
    ///   `generated_spearman`, `generated_spearman_expected_at_token` and so on: depth against each complexity, on
    ///   strings of the language or not) and about expectations
    ///   along the strings of the evaluation (`teacher_forced_…`): of several seeds the mean, and t over seeds.
    pub metrics: Vec<MetricRow>,
}

/// Where a row stands. Ranks count from 1, the best; all three are null together, with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Best rank possible. All ranks lie within their intervals at once, at the level of the leaderboard.
    pub rank_low: Option<usize>,
    /// Worst rank possible.
    pub rank_high: Option<usize>,
    /// Two policies share a letter if and only if they cannot be told apart.
    pub letters: Option<String>,
    /// Why the row is unranked.
    pub reason: Option<String>,
}

/// One setting of the knobs of a policy that has several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// The policy without the values of its knobs.
    pub policy: String,
    /// How many settings it has.
    pub settings: usize,
    /// Whether it is the one that is shown.
    pub chosen: Chosen,
    /// Its cost and accuracy on the calibration part, mean over seeds.
    pub calibrated: Option<Calibrated>,
    /// Why it is not chosen, or does not reach the target.
    pub reason: Option<String>,
}

/// Outcome of the choice for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// It reaches the target.
    Reached,
    /// No setting reaches the target; this one comes closest and is shown.
    Closest,
    /// Another one is chosen.
    Other,
}

/// The difference of two ranked policies in the board's ranking measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairDifference {
    /// The better policy, as in [`Row::policy`].
    pub first: String,
    /// The other one.
    pub second: String,
    /// By how much it is better, in the units of the measure; more is better, whatever the measure.
    pub difference: Option<f64>,
    /// Lower end of the interval. The intervals of all pairs hold at once, at the level of the leaderboard.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
    /// Whether the two can be told apart.
    pub different: bool,
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
    /// Whether it is a control that repeats another policy's depths.
    pub fn repeats_depths(&self) -> bool {
        self.of.is_some() && [Role::Cue, Role::Shuffled, Role::Control].into_iter().any(|role| self.has_role(role))
    }

    /// Whether it has this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.role.as_deref() == Some(role.name())
    }

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
