//! Cost of an evaluation: token-steps and analytic floating-point operations, with and without decisions.

use haltbench_sdk::backbone::PartCost;
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::AttentionPlan;
use serde::{Deserialize, Serialize};

use crate::model::Model;

/// Cost of an evaluation. A multiply-add counts as two floating-point operations.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ledger {
    /// Tokens evaluated.
    pub tokens: u64,
    /// Token-steps that a run without halting would execute: tokens · D.
    pub token_steps_scheduled: u64,
    /// Token-steps executed.
    pub token_steps_executed: u64,
    /// Decisions made by the policy.
    pub decisions: u64,
    /// Operations of the whole forward pass without decisions.
    pub flops: f64,
    /// Operations of the decisions, logits read out for them included.
    pub decision_flops: f64,
    /// Operations of the same tokens with all D steps and no decisions.
    pub dense_flops: f64,
}

impl Ledger {
    /// Charges the prelude of the tokens of `layout`.
    pub fn begin(&mut self, model: &Model, layout: &TokenLayout) {
        let (cost, rows) = (model.costs.backbone, layout.rows());
        let pairs = pairs(model, layout, &RowSet::all(rows));
        let part = |part: PartCost| part.per_row * rows as f64 + part.per_key * pairs;
        self.tokens += rows as u64;
        self.token_steps_scheduled += (rows * model.max_depth) as u64;
        self.flops += part(cost.prelude);
        self.dense_flops += part(cost.prelude) + model.max_depth as f64 * part(cost.step);
    }

    /// Charges coda and head for the answers `rows`, except for `known`, which the policy has already read for
    /// decisions.
    pub fn answer(&mut self, model: &Model, layout: &TokenLayout, rows: &RowSet, known: &RowSet) {
        self.flops += coda(model, layout, &without(rows, known));
        self.dense_flops += coda(model, layout, rows);
    }

    /// Charges a step over `rows` rows that see `pairs` keys, with `projections` extra projections of keys and values.
    pub fn step(&mut self, model: &Model, rows: usize, pairs: usize, projections: usize) {
        let cost = model.costs.backbone.step;
        self.token_steps_executed += rows as u64;
        self.flops +=
            cost.per_row * rows as f64 + cost.per_key * pairs as f64 + cost.per_key_value * projections as f64;
    }

    /// Charges decisions about `rows` rows.
    pub fn decide_about(&mut self, model: &Model, rows: usize) {
        let flops = model.costs.decision;
        self.decisions += if flops > 0.0 { rows as u64 } else { 0 };
        self.decision_flops += flops * rows as f64;
    }

    /// Charges a read-out of the logits of `rows` for a decision.
    pub fn read_out(&mut self, model: &Model, layout: &TokenLayout, rows: &RowSet) {
        if !rows.is_empty() {
            self.decision_flops += coda(model, layout, rows);
        }
    }

    /// Adds another batch.
    pub fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.token_steps_scheduled += other.token_steps_scheduled;
        self.token_steps_executed += other.token_steps_executed;
        self.decisions += other.decisions;
        self.flops += other.flops;
        self.decision_flops += other.decision_flops;
        self.dense_flops += other.dense_flops;
    }
}

/// Operations charged to each row of a pass. Their sum is what the [`Ledger`] counts.
///
/// Every row is charged for what a part computes for all rows; a read-out is charged only to the rows that are read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowCosts {
    /// Executed operations, decisions included.
    pub executed: Vec<f64>,
    /// Operations of all D steps without decisions.
    pub dense: Vec<f64>,
}

/// The cost of an evaluation pass, in all and row by row.
pub(crate) struct Bill<'a> {
    model: &'a Model,
    layout: &'a TokenLayout,
    /// Totals.
    pub ledger: Ledger,
    /// Costs row by row.
    pub rows: RowCosts,
}

impl<'a> Bill<'a> {
    /// Charges the prelude.
    pub fn begin(model: &'a Model, layout: &'a TokenLayout) -> Self {
        let mut ledger = Ledger::default();
        ledger.begin(model, layout);
        let cost = model.costs.backbone;
        let seen = |row: usize| seen(model, layout, row) as f64;
        let executed: Vec<f64> = (0..layout.rows()).map(|row| of_row(cost.prelude, seen(row))).collect();
        let steps = |row| model.max_depth as f64 * of_row(cost.step, seen(row));
        let dense = executed.iter().enumerate().map(|(row, prelude)| prelude + steps(row)).collect();
        Self { model, layout, ledger, rows: RowCosts { executed, dense } }
    }

    /// Charges coda and head for the answers `rows`, except for `known`, which the policy has already read for
    /// decisions.
    pub fn answer(&mut self, rows: &RowSet, known: &RowSet) {
        charge_coda(self.model, self.layout, rows, &mut self.rows.dense);
        charge_coda(self.model, self.layout, &without(rows, known), &mut self.rows.executed);
        self.ledger.answer(self.model, self.layout, rows, known);
    }

    /// Charges a step of the queries of `plan`, and the projection of keys and values of `projected` without a step.
    pub fn step(&mut self, plan: &AttentionPlan, projected: &[u32]) {
        let cost = self.model.costs.backbone.step;
        let mut rows = 0;
        let mut pairs = 0;
        for (row, keys) in plan.visible_keys() {
            self.rows.executed[row] += of_row(cost, keys as f64);
            rows += 1;
            pairs += keys;
        }
        projected.iter().for_each(|row| self.rows.executed[*row as usize] += cost.per_key_value);
        self.ledger.step(self.model, rows, pairs, projected.len());
    }

    /// Charges a decision about each of `rows`.
    pub fn decide(&mut self, rows: &RowSet) {
        let flops = self.model.costs.decision;
        rows.iter().for_each(|row| self.rows.executed[row] += flops);
        self.ledger.decide_about(self.model, rows.len());
    }

    /// Charges a read-out of the logits of `rows` for a decision.
    pub fn read_out(&mut self, rows: &RowSet) {
        charge_coda(self.model, self.layout, rows, &mut self.rows.executed);
        self.ledger.read_out(self.model, self.layout, rows);
    }
}

/// Adds to each row its cost of a coda that is read out for `rows`.
fn charge_coda(model: &Model, layout: &TokenLayout, rows: &RowSet, costs: &mut [f64]) {
    let cost = model.costs.backbone;
    let seen = |row: usize| seen(model, layout, row) as f64;
    beside(layout, rows).iter().for_each(|row| costs[row] += of_row(cost.coda, seen(row)));
    rows.iter().for_each(|row| costs[row] += of_row(cost.readout, seen(row)));
}

/// The rows of `rows` that are not in `others`.
fn without(rows: &RowSet, others: &RowSet) -> RowSet {
    if others.is_empty() {
        return rows.clone();
    }
    let mut kept = vec![false; rows.total()];
    rows.iter().for_each(|row| kept[row] = true);
    others.iter().for_each(|row| kept[row] = false);
    RowSet::from_mask(&kept)
}

/// Operations of a part for one row that sees `keys` keys.
fn of_row(part: PartCost, keys: f64) -> f64 {
    part.per_row + part.per_key * keys
}

/// Operations of a coda that is read out for `rows`.
fn coda(model: &Model, layout: &TokenLayout, rows: &RowSet) -> f64 {
    let cost = model.costs.backbone;
    let part = |part: PartCost, rows: &RowSet| {
        let pairs = if part.per_key > 0.0 { pairs(model, layout, rows) } else { 0.0 };
        part.per_row * rows.len() as f64 + part.per_key * pairs
    };
    part(cost.coda, &beside(layout, rows)) + part(cost.readout, rows)
}

/// All rows of the sequences that have a row in `rows`: a coda may need keys and values of all of them. Other sequences
/// are not counted, so that a sequence's cost does not depend on its batch.
fn beside(layout: &TokenLayout, rows: &RowSet) -> RowSet {
    let mut asked = vec![false; layout.sequences()];
    rows.iter().for_each(|row| asked[layout.sequence(row)] = true);
    RowSet::from_mask(&(0..layout.rows()).map(|row| asked[layout.sequence(row)]).collect::<Vec<bool>>())
}

/// Number of (query, key) pairs of rows that see all the tokens that they may see.
fn pairs(model: &Model, layout: &TokenLayout, rows: &RowSet) -> f64 {
    rows.iter().map(|row| seen(model, layout, row)).sum::<usize>() as f64
}

/// Number of tokens that a row may see: those up to itself, or its whole sequence if the backbone is not causal.
fn seen(model: &Model, layout: &TokenLayout, row: usize) -> usize {
    match model.backbone_is_causal() {
        true => layout.position(row) + 1,
        false => layout.rows_of(layout.sequence(row)).len(),
    }
}
