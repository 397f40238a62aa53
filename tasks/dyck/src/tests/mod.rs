//! Tests of the task, separate from the tested code.

mod conformance;
mod examples;
mod guess;
mod laws;
mod malformed;
mod properties;
mod reference;
mod statistics;

use haltbench_sdk::Result;
use haltbench_sdk::conformance::specimen::{self, break_of, column, draw};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

use crate::task::DECLARATION;

/// The task with these parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    specimen::configured(&DECLARATION, given)
}

fn dyck() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

/// The task with these numbers of kinds and open brackets.
fn of_kinds(kinds: i64, depth: i64) -> Box<dyn Task> {
    configured(&[("kinds", Value::Integer(kinds)), ("maximum_depth", Value::Integer(depth))]).unwrap()
}

/// The task with words of 256 tokens.
fn equally_long(kinds: i64) -> Box<dyn Task> {
    configured(&[("kinds", Value::Integer(kinds)), ("equal_length", Value::Flag(true))]).unwrap()
}

fn walk(kinds: i64, depth: i64) -> Box<dyn Task> {
    let given = [("kinds", Value::Integer(kinds)), ("maximum_depth", Value::Integer(depth))];
    configured(&[&given[..], &[("law", Value::Text("walk".into()))]].concat()).unwrap()
}

/// The task in every form.
fn forms() -> Vec<Box<dyn Task>> {
    vec![dyck(), of_kinds(1, 2), of_kinds(8, 5), equally_long(1), equally_long(3), walk(1, 4), walk(2, 3)]
}
