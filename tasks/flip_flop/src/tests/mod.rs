//! Tests of the task, separate from the tested code.

mod conformance;
mod examples;
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

fn flip_flop() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

fn number(name: &'static str, value: i64) -> (&'static str, Value) {
    (name, Value::Integer(value))
}

fn probability(value: f64) -> (&'static str, Value) {
    ("ignore_probability", Value::Real(value))
}
