//! What the run folder holds about the policies of a board.

use std::fs;
use std::io::ErrorKind;

use haltbench_analysis::frontier::CostAccuracy;
use haltbench_analysis::measures::{Quantity, cluster_sums};
use haltbench_analysis::{ClusterSum, Design, Split, TokenTable};
use haltbench_engine::plan::{CellPlan, Suite};
use haltbench_engine::store::{CellFolder, CellResult, RESULT_SCHEMA, RunFolder, State, Status, Timings, read_tokens};
use haltbench_engine::{Error, Result};

use crate::board::MissingCell;
use crate::cost::sequence_costs;
use crate::describe;

/// The cells of one task and backbone.
pub(crate) struct Group<'a> {
    /// Plan of its first cell.
    pub plan: &'a CellPlan,
    /// One entry for each policy, in the order of the suite.
    pub rows: Vec<Evidence<'a>>,
    /// Cells without a result, by policy and seed.
    pub missing: Vec<MissingCell>,
}

/// Everything about one policy. Entry s of every vector is of seed s; seeds ascend, so that rows can be paired.
pub(crate) struct Evidence<'a> {
    /// Plan of its first cell.
    pub plan: &'a CellPlan,
    /// Its label, unique within the board.
    pub label: String,
    /// Seeds that the suite plans.
    pub planned: Vec<u64>,
    /// Seeds that are done.
    pub seeds: Vec<u64>,
    /// Results of those.
    pub results: Vec<CellResult>,
    /// Timings of those, where they were written.
    pub timings: Vec<Option<Timings>>,
    /// Tokens of those.
    pub tables: Vec<TokenTable>,
    /// Cost and accuracy of the sequences at sizes trained on.
    pub in_range: CostAccuracy,
}

impl Evidence<'_> {
    /// Executed operations of every sequence of a split, per seed.
    pub fn costs(&self, split: Option<Split>) -> Vec<Vec<ClusterSum>> {
        let seeds = self.tables.iter().zip(&self.results);
        seeds.map(|(table, result)| sequence_costs(table, &result.ledger, &result.kind, split)).collect()
    }

    /// Seeds that are done and sequences of a split.
    pub fn design(&self, split: Option<Split>) -> Design {
        TokenTable::design(&self.tables, split)
    }

    /// Whether all planned seeds are done.
    pub fn is_complete(&self) -> bool {
        self.seeds == self.planned
    }

    /// Whether it reads labels.
    pub fn is_oracle(&self) -> bool {
        self.results.iter().any(|result| result.uses_labels)
    }
}

type Cell<'a> = (&'a str, &'a CellPlan);

/// The cells of a suite by task and backbone, with what the run folder holds about them.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::File`] naming the file of a finished cell that does not verify or cannot be read.
pub(crate) fn groups<'a>(suite: &'a Suite, run: &RunFolder) -> Result<Vec<Group<'a>>> {
    let cells = suite.cells.iter().map(|(id, plan)| (id.as_str(), plan)).collect();
    let same_board = |a: &CellPlan, b: &CellPlan| a.task == b.task && a.backbone == b.backbone;
    let boards = gathered(cells, same_board);
    boards.into_iter().map(|(plan, cells)| group(plan, cells, run)).collect()
}

/// Cells gathered into classes, both in the order of the suite.
fn gathered<'a>(
    cells: Vec<Cell<'a>>,
    same: impl Fn(&CellPlan, &CellPlan) -> bool,
) -> Vec<(&'a CellPlan, Vec<Cell<'a>>)> {
    let mut classes: Vec<(&CellPlan, Vec<Cell>)> = Vec::new();
    for cell in cells {
        match classes.iter_mut().find(|(first, _)| same(first, cell.1)) {
            Some((_, class)) => class.push(cell),
            None => classes.push((cell.1, vec![cell])),
        }
    }
    classes
}

fn group<'a>(plan: &'a CellPlan, cells: Vec<Cell<'a>>, run: &RunFolder) -> Result<Group<'a>> {
    let source = |plan: &CellPlan| plan.source.as_ref().map(|source| source.label.clone());
    let same_policy = |a: &CellPlan, b: &CellPlan| a.label == b.label && a.policy == b.policy && source(a) == source(b);
    let policies = gathered(cells, same_policy);
    let names: Vec<_> = policies.iter().map(|(first, _)| (first.label.as_str(), &first.policy)).collect();
    let labels = describe::unique_labels(&names);
    let mut missing = Vec::new();
    let rows = policies.into_iter().zip(labels).map(|((first, mut cells), label)| {
        cells.sort_by_key(|(_, plan)| plan.seed);
        evidence(first, &cells, label, run, &mut missing)
    });
    let rows = rows.collect::<Result<_>>()?;
    Ok(Group { plan, rows, missing })
}

fn evidence<'a>(
    plan: &'a CellPlan,
    cells: &[Cell<'a>],
    label: String,
    run: &RunFolder,
    missing: &mut Vec<MissingCell>,
) -> Result<Evidence<'a>> {
    let mut row = Evidence {
        plan,
        label,
        planned: cells.iter().map(|(_, plan)| plan.seed).collect(),
        seeds: Vec::new(),
        results: Vec::new(),
        timings: Vec::new(),
        tables: Vec::new(),
        in_range: CostAccuracy::default(),
    };
    for (id, plan) in cells {
        let folder = run.cell(id);
        match finished(&folder, id)? {
            Some(result) => {
                row.seeds.push(plan.seed);
                row.results.push(result);
                row.timings.push(timings(&folder)?);
                row.tables.push(read_tokens(&folder.file("tokens.parquet"))?);
            }
            None => missing.push(missing_cell(id, &row.label, plan.seed, &folder.status())),
        }
    }
    let split = Some(Split::InRange);
    let accuracy = cluster_sums(&row.tables, Quantity::TokenAccuracy, split);
    row.in_range = CostAccuracy { cost: row.costs(split), accuracy };
    Ok(row)
}

/// The verified result of a cell, if it is done.
fn finished(folder: &CellFolder, id: &str) -> Result<Option<CellResult>> {
    let Some(result) = folder.result()? else { return Ok(None) };
    let damaged = |message| Err(Error::Damaged { path: folder.file("result.json"), message });
    if result.schema != RESULT_SCHEMA {
        return damaged(format!("its schema is {}, this program reads {RESULT_SCHEMA}", result.schema));
    }
    if result.cell != id {
        return damaged(format!("it is the result of cell {}", result.cell));
    }
    Ok(Some(result))
}

/// What was timed. A cell may have no such file: nothing but the speed-up depends on it.
fn timings(folder: &CellFolder) -> Result<Option<Timings>> {
    let path = folder.file("timings.json");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let parsed = serde_json::from_str(&text);
            parsed.map(Some).map_err(|error| Error::Damaged { path, message: error.to_string() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(&path, "cannot be read")(error)),
    }
}

fn missing_cell(id: &str, label: &str, seed: u64, status: &Status) -> MissingCell {
    let (state, cause) = match status.state {
        State::Failed => ("failed", "no cause is recorded"),
        State::Running => ("running", "at work, or stopped and can be resumed"),
        State::Pending | State::Done => ("pending", "not begun, or stopped and can be resumed"),
    };
    let cause = status.cause.clone().unwrap_or_else(|| cause.to_owned());
    MissingCell { cell: id.to_owned(), policy: label.to_owned(), seed, state: state.to_owned(), cause }
}
