//! Tests of the task, separate from the tested code.

mod conformance;
mod examples;
mod groups;
mod guess;
mod laws;
mod malformed;
mod properties;
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

/// The task of a group.
fn words_of(group: &str) -> Box<dyn Task> {
    configured(&[("group", Value::Text(group.into()))]).unwrap()
}

/// The task of a group, every word with 64 elements.
fn padded_words_of(group: &str) -> Box<dyn Task> {
    configured(&[("group", Value::Text(group.into())), ("equal_length", Value::Flag(true))]).unwrap()
}
