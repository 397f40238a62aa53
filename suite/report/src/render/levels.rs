//! Accuracy and depth by level of complexity: a line for each level, a column for each policy.

use haltbench_engine::store::MetricRow;

use crate::board::{Board, Row};
use crate::render::document::{Grid, name};
use crate::render::number::{Notes, Unit, value};

pub(super) const ACCURACY: &str = "token_accuracy_by_level";
pub(super) const DEPTH: &str = "answer_depth_by_level";

/// Narrowest and widest column of a policy; longer labels are wrapped.
const COLUMN: (usize, usize) = (11, 26);

/// Grids that are at most `width` columns wide, with as many policies in each as fit.
pub(super) fn grids(board: &Board, complexity: &str, width: usize, notes: &mut Notes) -> Vec<Grid> {
    let levels = levels(board);
    if levels.is_empty() {
        return Vec::new();
    }
    // Two spaces around every column.
    let first = complexity.chars().count().max(5) + "tokens".len() + 4;
    let mut shares: Vec<Vec<&Row>> = vec![Vec::new()];
    let mut used = first;
    for row in &board.rows {
        let own = name(row).chars().count().clamp(COLUMN.0, COLUMN.1) + 2;
        if used + own > width && shares.last().is_some_and(|share| !share.is_empty()) {
            shares.push(Vec::new());
            used = first;
        }
        used += own;
        if let Some(share) = shares.last_mut() {
            share.push(row);
        }
    }
    shares.into_iter().map(|share| grid(complexity, &levels, &share, notes)).collect()
}

fn grid(complexity: &str, levels: &[f64], rows: &[&Row], notes: &mut Notes) -> Grid {
    let line = |level: &f64| {
        let count = rows.iter().filter_map(|row| at(row, ACCURACY, *level)).map(|metric| metric.count).max();
        let mut line = vec![level.to_string(), count.unwrap_or(0).to_string()];
        line.extend(rows.iter().map(|row| cell(row, *level, notes)));
        line
    };
    Grid {
        title: format!("By {complexity}: tokens right % · depth, answer tokens in range"),
        rows: levels.iter().map(line).collect(),
        columns: [complexity.to_owned(), "tokens".to_owned()]
            .into_iter()
            .chain(rows.iter().map(|row| name(row)))
            .collect(),
        texts: 0,
    }
}

fn cell(row: &Row, level: f64, notes: &mut Notes) -> String {
    let (accuracy, depth) = (at(row, ACCURACY, level), at(row, DEPTH, level));
    match (value(accuracy, Unit::Percent), value(depth, Unit::Steps)) {
        (Some(accuracy), Some(depth)) => format!("{accuracy} · {depth}"),
        _ => {
            let reason = accuracy.or(row.metric(ACCURACY, Some("in_range"))).and_then(|metric| metric.reason.clone());
            format!("–{}", notes.mark(reason.as_deref().unwrap_or("there are no observations")))
        }
    }
}

/// The measure of this name at a level.
pub(super) fn at<'a>(row: &'a Row, name: &str, level: f64) -> Option<&'a MetricRow> {
    row.metrics.iter().find(|metric| metric.metric == name && metric.level == Some(level))
}

/// All levels that occur, ascending.
pub(super) fn levels(board: &Board) -> Vec<f64> {
    let metrics = board.rows.iter().flat_map(|row| &row.metrics);
    let mut levels: Vec<f64> =
        metrics.filter(|metric| metric.metric == ACCURACY).filter_map(|metric| metric.level).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}
