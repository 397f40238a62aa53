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

/// The task with this digit first, with or without zeros.
fn addition(first: &str, is_padded: bool) -> Box<dyn Task> {
    configured(&[("first_digit", Value::Text(first.into())), ("zero_padding", Value::Flag(is_padded))]).unwrap()
}

/// The task whose operands all have 32 digits.
fn equally_long(first: &str) -> Box<dyn Task> {
    configured(&[("first_digit", Value::Text(first.into())), ("equal_length", Value::Flag(true))]).unwrap()
}

/// The task in every form.
fn forms() -> Vec<Box<dyn Task>> {
    let orders = ["most", "least"];
    orders.into_iter().flat_map(|first| [addition(first, true), addition(first, false), equally_long(first)]).collect()
}
