//! What an analysis says: sentences, tables and charts, the same for all kinds and formats.

use std::collections::BTreeMap;

use haltbench_analysis::Estimate;
use serde::Serialize;

/// Version of [`Analysis`] as JSON.
pub const ANALYSIS_SCHEMA: u32 = 1;

/// An analysis of all boards of a suite.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// Version of this structure.
    pub schema: u32,
    /// Name of the suite.
    pub suite: String,
    /// Name of the kind.
    pub analysis: String,
    /// Findings by board: one for each task and backbone.
    pub boards: Vec<Findings>,
}

/// Findings about one board.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Findings {
    /// Name of the board.
    pub board: String,
    /// The answer in sentences.
    pub verdict: Vec<String>,
    /// Tables.
    pub sheets: Vec<Sheet>,
    /// Charts of some of the numbers.
    pub charts: Vec<Chart>,
    /// How to read the numbers.
    pub notes: Vec<String>,
    /// Cells without a result.
    pub missing: usize,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sheet {
    /// Name for programs, unique among the sheets of a board.
    pub name: String,
    /// Title.
    pub title: String,
    /// Columns; text columns come first.
    pub columns: Vec<Column>,
    /// One value for each column.
    pub rows: Vec<Vec<Value>>,
}

impl Sheet {
    /// A table without rows.
    pub fn new(name: impl Into<String>, title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { name: name.into(), title: title.into(), columns, rows: Vec::new() }
    }

    /// The value in a column of this name.
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let place = self.columns.iter().position(|own| own.name == column)?;
        self.rows.get(row)?.get(place)
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Name for programs.
    pub name: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// What its values are.
    pub unit: Unit,
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, title: &'static str, unit: Unit) -> Self {
        Self { name, title, unit }
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A text.
    Text,
    /// A number of things.
    Count,
    /// A share, from 0 to 1.
    Share,
    /// A difference of shares.
    ShareDifference,
    /// A number of steps.
    Steps,
    /// A difference of numbers of steps.
    StepsDifference,
    /// A correlation, from -1 to 1.
    Correlation,
    /// A number of floating-point operations.
    Operations,
    /// Nats.
    Nats,
    /// A probability, from 0 to 1.
    Probability,
    /// A number without a unit.
    Number,
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number of things.
    Count(usize),
    /// A number with its interval, or the reason why it is missing.
    Estimate(Estimate),
    /// A missing number, with the reason in words.
    Missing {
        /// Why it is missing.
        reason: String,
    },
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A missing number.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into() }
    }

    /// The number, if it is one and present.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(count) => Some(*count as f64),
            Self::Estimate(estimate) => estimate.value,
            Self::Text(_) | Self::Missing { .. } => None,
        }
    }

    /// The estimate, if it is one.
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Self::Estimate(estimate) => Some(estimate),
            _ => None,
        }
    }
}

/// A chart: panels side by side with the same kinds of axes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chart {
    /// Title.
    pub title: String,
    /// What the horizontal axis shows.
    pub across: String,
    /// Panels.
    pub panels: Vec<Panel>,
    /// Values of the horizontal axis that models were trained at, if the axis has some.
    pub trained: Vec<f64>,
}

/// A panel of a chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// Title: what the vertical axis shows.
    pub title: String,
    /// Unit of the vertical axis.
    pub unit: Unit,
    /// One line for each policy.
    pub lines: Vec<Line>,
}

/// The points of a policy, joined by a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Label of the policy.
    pub label: String,
    /// Whether it is a fixed depth.
    pub fixed: bool,
    /// Points, from left to right.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Interval of the value, if it has one.
    pub interval: Option<(f64, f64)>,
}

impl Point {
    /// The point of an estimate, if it has a value.
    pub fn of(x: f64, estimate: &Estimate) -> Option<Self> {
        Some(Self { x, y: estimate.value?, interval: estimate.low.zip(estimate.high) })
    }
}

/// Lines by label, in the order in which labels were first seen.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    order: Vec<String>,
    lines: BTreeMap<String, Line>,
}

impl Lines {
    /// Adds a point to the line of `label`.
    pub fn add(&mut self, label: &str, fixed: bool, point: Option<Point>) {
        let Some(point) = point else { return };
        if !self.lines.contains_key(label) {
            self.order.push(label.to_owned());
            let line = Line { label: label.to_owned(), fixed, points: Vec::new() };
            self.lines.insert(label.to_owned(), line);
        }
        if let Some(line) = self.lines.get_mut(label) {
            line.points.push(point);
        }
    }

    /// The lines, each with its points from left to right.
    pub fn finish(mut self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.order.iter().filter_map(|label| self.lines.remove(label)).collect();
        lines.iter_mut().for_each(|line| line.points.sort_by(|left, right| left.x.total_cmp(&right.x)));
        lines
    }
}
