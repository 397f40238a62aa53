//! What the run folder holds about the policies of a board.

use haltbench_analysis::measures::{Depth, Quantity, quantity_table};
use haltbench_analysis::{CostAccuracy, Reason, Split, TokenTable};
use haltbench_engine::Result;
use haltbench_engine::plan::{self, CellPlan, Suite};
use haltbench_engine::store::{CALIBRATION, CellResult, GuessResult, RunFolder, State, Status, Timings, read_tokens};
use haltbench_sdk::policy::Role;

use crate::board::MissingCell;
use crate::cost::cost_accuracy;
use crate::describe;
use crate::target::Calibrated;

/// The cells of one task and backbone.
pub(crate) struct Group<'a> {
    /// Plan of its first cell.
    pub plan: &'a CellPlan,
    /// One entry per policy, in the order of the suite.
    pub rows: Vec<Evidence<'a>>,
    /// Cells without a result, by policy and seed.
    pub missing: Vec<MissingCell>,
}

impl Group<'_> {
    /// The complexity that reports show first, if there is a result.
    pub fn headline(&self) -> Option<&str> {
        self.results().next().map(|result| result.headline.as_str())
    }

    /// The guesses beside the results. All cells are evaluated on the same instances, so their guesses are equal.
    pub fn guesses(&self) -> Vec<GuessResult> {
        self.results().next().map(|result| result.guesses.clone()).unwrap_or_default()
    }

    fn results(&self) -> impl Iterator<Item = &CellResult> {
        self.rows.iter().flat_map(|row| &row.results)
    }
}

/// Names of boards that tell them apart: task and backbone.
pub(crate) fn names(groups: &[Group]) -> Vec<String> {
    let tasks = describe::distinguished(&groups.iter().map(|group| &group.plan.model.task).collect::<Vec<_>>());
    let backbones = describe::distinguished(&groups.iter().map(|group| &group.plan.model.backbone).collect::<Vec<_>>());
    tasks.into_iter().zip(backbones).map(|(task, backbone)| format!("{task} / {backbone}")).collect()
}

/// Data about one policy. Entry s of every vector belongs to seed s; seeds ascend, so that rows can be paired.
pub(crate) struct Evidence<'a> {
    /// Plan of its first cell.
    pub plan: &'a CellPlan,
    /// Label, unique within the board.
    pub label: String,
    /// Label in the suite.
    pub named: &'a str,
    /// The first cell.
    pub first: &'a plan::Cell,
    /// Label of the policy whose model is evaluated.
    pub of: Option<&'a str>,
    /// Role. If the policy has no result, the role that it declares, if registered in this process.
    pub role: Option<String>,
    /// Seeds that the suite plans.
    pub planned: Vec<u64>,
    /// Finished seeds.
    pub seeds: Vec<u64>,
    /// Results of the finished seeds.
    pub results: Vec<CellResult>,
    /// Timings of the finished seeds, if they were written.
    pub timings: Vec<Option<Timings>>,
    /// Token tables of the finished seeds.
    pub tables: Vec<TokenTable>,
    /// Cost and accuracy on the calibration part, as means over finished seeds, if they have one.
    pub calibrated: Option<Calibrated>,
    /// Cost and accuracy of the finished seeds at trained sizes.
    pub in_range: std::result::Result<CostAccuracy, Reason>,
}

impl Evidence<'_> {
    /// Whether all planned seeds are finished.
    pub fn is_complete(&self) -> bool {
        self.seeds == self.planned
    }

    /// Whether the policy has this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.role.as_deref() == Some(role.name())
    }

    /// Whether this is a fixed depth on weights of its own, which a policy is compared with.
    pub fn is_fixed_depth(&self) -> bool {
        self.has_role(Role::FixedDepth) && self.of.is_none()
    }

    /// Whether this is a fixed depth that is forced on another policy's weights, to measure the depth that answers need.
    pub fn is_forced_depth(&self) -> bool {
        self.has_role(Role::FixedDepth) && self.of.is_some()
    }

    /// Whether the policy has a depth: an expected depth needs a distribution.
    pub fn has_depth(&self, depth: Depth) -> bool {
        self.tables.iter().all(|table| (0..table.len()).any(|row| depth.of(table.columns(), row).is_some()))
    }

    /// The tables of these seeds, if all of them are finished.
    pub fn tables_of(&self, seeds: &[u64]) -> Option<Vec<TokenTable>> {
        let table = |seed: &u64| self.tables.get(self.seeds.binary_search(seed).ok()?).cloned();
        seeds.iter().map(table).collect()
    }

    /// The policy's claims that the spot checks of its evaluations refuted, in words, one sentence for each.
    pub fn broken_claims(&self) -> Vec<String> {
        let mut broken: Vec<String> = Vec::new();
        for (seed, result) in self.seeds.iter().zip(&self.results) {
            let of_seed = result.checks.broken().into_iter().map(|claim| format!("{claim} (seed {seed})"));
            broken.extend(of_seed);
        }
        broken
    }

    /// Whether the policy reads labels.
    pub fn is_oracle(&self) -> bool {
        self.results.iter().any(|result| result.uses_labels)
    }
}

type Cell<'a> = &'a plan::Cell;

/// The cells of a suite by task and backbone, with what the run folder holds about them.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::File`], naming the file, if a finished cell cannot be read or does not verify.
pub(crate) fn groups<'a>(suite: &'a Suite, run: &RunFolder) -> Result<Vec<Group<'a>>> {
    let same_board =
        |a: Cell, b: Cell| a.plan.model.task == b.plan.model.task && a.plan.model.backbone == b.plan.model.backbone;
    let boards = gathered(suite.cells.iter().collect(), same_board);
    boards.into_iter().map(|cells| group(cells, run)).collect()
}

/// Groups cells into classes, with classes and cells in the order of the suite.
fn gathered<'a>(cells: Vec<Cell<'a>>, same: impl Fn(Cell, Cell) -> bool) -> Vec<Vec<Cell<'a>>> {
    let mut classes: Vec<Vec<Cell>> = Vec::new();
    for cell in cells {
        match classes.iter_mut().find(|class| same(class[0], cell)) {
            Some(class) => class.push(cell),
            None => classes.push(vec![cell]),
        }
    }
    classes
}

fn group<'a>(cells: Vec<Cell<'a>>, run: &RunFolder) -> Result<Group<'a>> {
    let plan = &cells[0].plan;
    let same_policy = |a: Cell, b: Cell| {
        a.label == b.label
            && a.of == b.of
            && a.plan.policy == b.plan.policy
            && (a.plan.max_depth, &a.plan.halted_keys_values) == (b.plan.max_depth, &b.plan.halted_keys_values)
    };
    let policies = gathered(cells, same_policy);
    let names: Vec<_> = policies.iter().map(|cells| (cells[0].label.as_str(), &cells[0].plan.policy)).collect();
    let labels = describe::unique_labels(&names);
    let mut missing = Vec::new();
    let rows = policies.into_iter().zip(labels).map(|(mut cells, label)| {
        cells.sort_by_key(|cell| cell.plan.model.seed);
        evidence(&cells, label, run, &mut missing)
    });
    let mut rows = rows.collect::<Result<Vec<Evidence>>>()?;
    let known: Vec<(String, String)> =
        rows.iter().filter_map(|row| Some((row.plan.policy.name.clone(), row.results.first()?.role.clone()))).collect();
    for row in &mut rows {
        let name = &row.plan.policy.name;
        let of_namesake = known.iter().find(|(other, _)| other == name).map(|(_, role)| role.clone());
        let own = row.results.first().map(|result| result.role.clone());
        row.role = own.or(of_namesake).or_else(|| describe::role(name).map(str::to_owned));
    }
    Ok(Group { plan, rows, missing })
}

fn evidence<'a>(
    cells: &[Cell<'a>],
    label: String,
    run: &RunFolder,
    missing: &mut Vec<MissingCell>,
) -> Result<Evidence<'a>> {
    let first = cells[0];
    let mut row = Evidence {
        plan: &first.plan,
        label,
        named: &first.label,
        first,
        of: first.of.as_deref(),
        role: None,
        planned: cells.iter().map(|cell| cell.plan.model.seed).collect(),
        seeds: Vec::new(),
        results: Vec::new(),
        timings: Vec::new(),
        tables: Vec::new(),
        calibrated: None,
        in_range: Err(Reason::Empty),
    };
    let mut calibration = Vec::new();
    for cell in cells {
        let (folder, seed) = (run.cell(&cell.id), cell.plan.model.seed);
        match folder.result()? {
            Some(result) => {
                if result.files.contains_key(CALIBRATION) {
                    calibration.push(read_tokens(&folder.file(CALIBRATION))?);
                }
                row.seeds.push(seed);
                row.results.push(result);
                row.timings.push(folder.timings());
                row.tables.push(read_tokens(&folder.file("tokens.parquet"))?);
            }
            None => missing.push(missing_cell(&cell.id, &row.label, seed, &folder.status())),
        }
    }
    if calibration.len() == row.seeds.len() {
        row.calibrated = calibrated(&calibration);
    }
    row.in_range = cost_accuracy(&row.tables);
    Ok(row)
}

/// Cost and accuracy over these tables, one per seed.
fn calibrated(tables: &[TokenTable]) -> Option<Calibrated> {
    let mean = |quantity| quantity_table(tables, quantity, Some(Split::InRange)).ok().map(|table| table.mean());
    Some(Calibrated { cost: mean(Quantity::FlopsShare)?, accuracy: mean(Quantity::TokenAccuracy)? })
}

fn missing_cell(id: &str, label: &str, seed: u64, status: &Status) -> MissingCell {
    let (state, cause) = match status.state {
        State::Failed => ("failed", "no cause is recorded"),
        State::Stopped => ("stopped", "stopped at a limit and can be resumed"),
        State::Running => ("running", "at work, or stopped and can be resumed"),
        State::Pending | State::Done => ("pending", "not begun, or stopped and can be resumed"),
    };
    let cause = status.cause.clone().unwrap_or_else(|| cause.to_owned());
    MissingCell { cell: id.to_owned(), policy: label.to_owned(), seed, state: state.to_owned(), cause }
}
