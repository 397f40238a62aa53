//! Accuracy and depth by level of complexity and by size: one line per level, one column per policy.

use haltbench_engine::store::MetricRow;
use haltbench_sdk::policy::Role;

use crate::board::{Board, Row};
use crate::render::grids::{Grid, ONE_SEED, is_of_one_seed, name};
use crate::render::number::{Notes, Unit, measure, value};

pub(super) const ACCURACY: &str = "token_accuracy_by_level";
pub(super) const DEPTH: &str = "answer_depth_by_level";
const INCREMENT: &str = "answer_depth_increment";
const ACCURACY_OF_SIZE: &str = "token_accuracy_by_size";
const DEPTH_OF_SIZE: &str = "answer_depth_by_size";

/// Narrowest and widest column of a policy; longer labels are wrapped.
const COLUMN: (usize, usize) = (12, 26);
/// The same if every cell has an interval.
const INTERVAL: (usize, usize) = (21, 26);

/// What a table by level shows.
struct Table<'a> {
    title: String,
    /// Title of the first column.
    first: &'a str,
    /// The measure that defines the levels and counts the tokens.
    levels: &'static str,
    column: (usize, usize),
    label: &'a dyn Fn(f64) -> String,
    cell: &'a dyn Fn(&Row, f64, &mut Notes) -> String,
    /// Whether a row has a column. `csv` and `json` have the other rows.
    shows: fn(&Row) -> bool,
}

/// Whether a row is not a control that reads another policy's depths; such controls say little beyond their means.
fn stands_alone(row: &Row) -> bool {
    !row.repeats_depths()
}

/// Whether the policy chooses depths. In other rows depth follows nothing, by construction or by their inputs.
fn chooses(row: &Row) -> bool {
    row.has_role(Role::Policy) || row.oracle == Some(true)
}

/// Grids at most `width` columns wide, each with as many policies as fit.
pub(super) fn grids(board: &Board, complexity: &str, width: usize, notes: &mut Notes) -> Vec<Grid> {
    let number = |level: f64| level.to_string();
    let trained = |size: f64| {
        let is_trained = board.trained_sizes.iter().any(|own| f64::from(*own) == size);
        format!("{size}{}", if is_trained { " ✓" } else { "" })
    };
    let of_level = |row: &Row, level: f64, notes: &mut Notes| both(row, (ACCURACY, DEPTH), level, notes);
    let of_size = |row: &Row, size: f64, notes: &mut Notes| both(row, (ACCURACY_OF_SIZE, DEPTH_OF_SIZE), size, notes);
    let tables = [
        Table {
            title: format!("By {complexity}: tokens right % · depth, answer tokens in range"),
            first: complexity,
            levels: ACCURACY,
            column: COLUMN,
            label: &number,
            cell: &of_level,
            shows: stands_alone,
        },
        Table {
            title: format!(
                "Increments by {complexity}: depth of the level minus that of the level below, answer tokens in range; \
                 each interval by itself"
            ),
            first: complexity,
            levels: INCREMENT,
            column: INTERVAL,
            label: &number,
            cell: &increment,
            shows: chooses,
        },
        Table {
            title:
                "By size of the token's own problem (✓ trained on): tokens right % · depth, answer tokens of all splits"
                    .to_owned(),
            first: "size",
            levels: ACCURACY_OF_SIZE,
            column: COLUMN,
            label: &trained,
            cell: &of_size,
            shows: stands_alone,
        },
    ];
    tables.iter().flat_map(|table| shared_out(board, table, width, notes)).collect()
}

fn shared_out(board: &Board, table: &Table, width: usize, notes: &mut Notes) -> Vec<Grid> {
    let levels = levels(board, table.levels);
    if levels.is_empty() {
        return Vec::new();
    }
    // Two spaces around every column.
    let first = table.first.chars().count().max(5) + "tokens".len() + 4;
    let mut shares: Vec<Vec<&Row>> = vec![Vec::new()];
    let mut used = first;
    for row in board.rows.iter().filter(|row| (table.shows)(row)) {
        let own = name(row).chars().count().clamp(table.column.0, table.column.1) + 2;
        if used + own > width && shares.last().is_some_and(|share| !share.is_empty()) {
            shares.push(Vec::new());
            used = first;
        }
        used += own;
        if let Some(share) = shares.last_mut() {
            share.push(row);
        }
    }
    shares.into_iter().filter(|share| !share.is_empty()).map(|share| grid(table, &levels, &share, notes)).collect()
}

fn grid(table: &Table, levels: &[f64], rows: &[&Row], notes: &mut Notes) -> Grid {
    let line = |level: &f64| {
        let count = rows.iter().filter_map(|row| at(row, table.levels, *level)).map(|metric| metric.count).max();
        let mut line = vec![(table.label)(*level), count.unwrap_or(0).to_string()];
        line.extend(rows.iter().map(|row| (table.cell)(row, *level, notes)));
        line
    };
    // Increments count the problems that have tokens at either level.
    let counted = if table.levels == INCREMENT { "problems" } else { "tokens" };
    Grid {
        title: table.title.clone(),
        rows: levels.iter().map(line).collect(),
        columns: [table.first.to_owned(), counted.to_owned()]
            .into_iter()
            .chain(rows.iter().map(|row| name(row)))
            .collect(),
        texts: 0,
    }
}

/// Accuracy and depth at a level.
fn both(row: &Row, (right, depth): (&str, &str), level: f64, notes: &mut Notes) -> String {
    let (accuracy, depth) = (at(row, right, level), at(row, depth, level));
    match (value(accuracy, Unit::Percent), value(depth, Unit::Steps)) {
        (Some(accuracy), Some(depth)) => {
            format!("{accuracy} · {depth}{}", if is_of_one_seed(row) { ONE_SEED } else { "" })
        }
        _ => {
            let whole = row.metrics.iter().find(|metric| metric.metric == right && metric.level.is_none());
            let reason = accuracy.or(whole).and_then(|metric| metric.reason.clone());
            format!("–{}", notes.mark(reason.as_deref().unwrap_or("there are no observations")))
        }
    }
}

fn increment(row: &Row, level: f64, notes: &mut Notes) -> String {
    match at(row, INCREMENT, level) {
        Some(metric) => {
            let mark = if is_of_one_seed(row) && metric.value.is_some() { ONE_SEED } else { "" };
            format!("{}{mark}", measure(Some(metric), Unit::Added, notes))
        }
        None => format!("–{}", notes.mark("there are no observations")),
    }
}

/// The measure with this name at a level.
pub(super) fn at<'a>(row: &'a Row, name: &str, level: f64) -> Option<&'a MetricRow> {
    row.metrics.iter().find(|metric| metric.metric == name && metric.level == Some(level))
}

/// All levels that a measure has, ascending.
pub(super) fn levels(board: &Board, name: &str) -> Vec<f64> {
    let metrics = board.rows.iter().flat_map(|row| &row.metrics);
    let mut levels: Vec<f64> =
        metrics.filter(|metric| metric.metric == name).filter_map(|metric| metric.level).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}
