//! Tests of the task, separate from the tested code.

mod conformance;
mod examples;
mod guess;
mod laws;
mod malformed;
mod pairs;
mod parameters;
mod properties;
mod reference;
mod spelled_example;
mod statistics;

use haltbench_sdk::Result;
use haltbench_sdk::conformance::specimen::{self, break_of, column, draw};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{Columns, Task};

use crate::task::DECLARATION;

/// The task with these parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    specimen::configured(&DECLARATION, given)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// The task of the paper.
fn canonical() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

/// The released task with one-token names: as many names as nodes.
fn released(largest: i64) -> Box<dyn Task> {
    let size = Value::Integer(largest);
    configured(&[("order", text("any")), ("maximum_nodes", size), ("spare_vocabulary", Value::Flag(false))]).unwrap()
}

/// The released task with names of two to four tokens.
fn spelled(order: &str) -> Box<dyn Task> {
    let (shortest, longest) = (("shortest_name", Value::Integer(2)), ("longest_name", Value::Integer(4)));
    configured(&[("order", text(order)), ("maximum_nodes", Value::Integer(50)), shortest, longest]).unwrap()
}

/// The columns in order, each with one entry per token.
fn every(columns: &Columns) -> impl Iterator<Item = Vec<f32>> {
    (0..columns.count()).map(|column| columns.column(column).collect())
}

/// The defined values of a column at names, in order.
fn values(column: &[f32]) -> Vec<f64> {
    column.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value)).collect()
}
