//! The text formats of an analysis.

use haltbench_analysis::Estimate;

use super::csv::quoted;
use super::document::Document;
use super::grids::Grid;
use super::number::{Notes, Number, Unit, missing};
use crate::analyses::{self, Analysis, Findings, Sheet, Value};

/// One document for each board.
pub(super) fn documents(analysis: &Analysis) -> Vec<Document> {
    analysis.boards.iter().map(|findings| document(analysis, findings)).collect()
}

fn document(analysis: &Analysis, findings: &Findings) -> Document {
    let mut notes = Notes::default();
    let grids = findings.sheets.iter().flat_map(|sheet| split(grid(sheet, &mut notes))).collect();
    let mut lines = findings.notes.clone();
    lines.extend(notes.lines());
    let missing = match findings.missing {
        0 => Vec::new(),
        1 => vec!["1 cell has no result; `haltbench leaderboard` names it".to_owned()],
        more => vec![format!("{more} cells have no result; `haltbench leaderboard` names them")],
    };
    Document {
        title: format!("{}, {}: {}", analysis.suite, analysis.analysis, findings.board),
        header: findings.verdict.clone(),
        warnings: Vec::new(),
        grids,
        notes: lines,
        missing,
    }
}

fn grid(sheet: &Sheet, notes: &mut Notes) -> Grid {
    let is_empty = |place: usize| sheet.rows.iter().all(|row| row.get(place) == Some(&Value::Text(String::new())));
    let shown: Vec<usize> = (0..sheet.columns.len()).filter(|place| !is_empty(*place)).collect();
    let is_text = |place: &&usize| sheet.columns[**place].unit == analyses::Unit::Text;
    Grid {
        title: sheet.title.clone(),
        columns: shown.iter().map(|place| sheet.columns[*place].title.to_owned()).collect(),
        texts: shown.iter().take_while(is_text).count(),
        rows: (sheet.rows.iter())
            .map(|row| {
                let cell = |place: &usize| cell(row.get(*place), sheet.columns[*place].unit, notes);
                shown.iter().map(cell).collect()
            })
            .collect(),
    }
}

/// Columns of a terminal that a table may take.
const WIDTH: usize = 118;
/// Columns that a text takes before it is broken.
const TEXT: usize = 32;

/// Tables that fit the width, each with all text columns: numbers with intervals are wide.
fn split(grid: Grid) -> Vec<Grid> {
    let width = |place: usize| {
        let cells = grid.rows.iter().map(|row| row[place].chars().count());
        // A space on each side.
        2 + cells.chain([grid.columns[place].chars().count()]).max().unwrap_or_default()
    };
    let texts: usize = (0..grid.texts).map(|place| width(place).min(TEXT)).sum();
    let mut groups: Vec<(Vec<usize>, usize)> = Vec::new();
    for place in grid.texts..grid.columns.len() {
        let own = width(place);
        match groups.last_mut() {
            Some((places, used)) if texts + *used + own <= WIDTH => {
                places.push(place);
                *used += own;
            }
            _ => groups.push((vec![place], own)),
        }
    }
    let part = |(number, (places, _)): (usize, (Vec<usize>, usize))| {
        let shown: Vec<usize> = (0..grid.texts).chain(places).collect();
        let pick = |cells: &Vec<String>| shown.iter().map(|place| cells[*place].clone()).collect();
        Grid {
            title: if number == 0 { grid.title.clone() } else { format!("{}, continued", grid.title) },
            columns: pick(&grid.columns),
            texts: grid.texts,
            rows: grid.rows.iter().map(pick).collect(),
        }
    };
    if groups.is_empty() {
        return vec![grid];
    }
    groups.into_iter().enumerate().map(part).collect()
}

fn cell(value: Option<&Value>, unit: analyses::Unit, notes: &mut Notes) -> String {
    match value {
        None => missing("it was not computed", notes),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Count(count)) => count.to_string(),
        Some(Value::Missing { reason }) => missing(reason, notes),
        Some(Value::Estimate(Estimate { value, low, high, reason, .. })) => {
            let reason = reason.map(|reason| reason.to_string());
            let number = Number { value: *value, interval: low.zip(*high), reason: reason.as_deref() };
            number.show(shown_as(unit), notes)
        }
    }
}

fn shown_as(unit: analyses::Unit) -> Unit {
    match unit {
        analyses::Unit::Share => Unit::Percent,
        analyses::Unit::ShareDifference => Unit::Points,
        analyses::Unit::Steps => Unit::Steps,
        analyses::Unit::StepsDifference => Unit::Added,
        analyses::Unit::Correlation => Unit::Correlation,
        analyses::Unit::Operations => Unit::Operations,
        analyses::Unit::Nats => Unit::Nats,
        analyses::Unit::Probability => Unit::Probability,
        analyses::Unit::Text | analyses::Unit::Count | analyses::Unit::Number => Unit::Plain,
    }
}

/// Tidy rows: one value per line, quoted as in RFC 4180. `row` numbers the rows of a sheet from 0.
pub(super) fn csv(analysis: &Analysis) -> String {
    let mut text = "board,sheet,row,column,text,value,low,high,method,count,reason\n".to_owned();
    for findings in &analysis.boards {
        for sheet in &findings.sheets {
            for (number, row) in sheet.rows.iter().enumerate() {
                for (column, value) in sheet.columns.iter().zip(row) {
                    let start =
                        [findings.board.clone(), sheet.name.clone(), number.to_string(), column.name.to_owned()];
                    let fields: Vec<String> = start.into_iter().chain(fields(value)).collect();
                    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
                    text.push_str(&fields.join(","));
                    text.push('\n');
                }
            }
        }
    }
    text
}

/// text, value, low, high, method, count and reason.
fn fields(value: &Value) -> [String; 7] {
    let real = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let empty = String::new;
    match value {
        Value::Text(text) => [text.clone(), empty(), empty(), empty(), empty(), empty(), empty()],
        Value::Count(count) => [empty(), count.to_string(), empty(), empty(), empty(), empty(), empty()],
        Value::Missing { reason } => [empty(), empty(), empty(), empty(), empty(), empty(), reason.clone()],
        Value::Estimate(own) => [
            empty(),
            real(own.value),
            real(own.low),
            real(own.high),
            own.method.map(|method| method.to_string()).unwrap_or_default(),
            own.count.to_string(),
            own.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        ],
    }
}
