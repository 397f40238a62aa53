//! Tests of the two tasks, separate from the tested code.

mod conformance;
mod examples;
mod guess;
mod laws;
mod malformed;
mod properties;
mod reference;
mod statistics;

use haltbench_sdk::conformance::specimen::{break_of, column, configured, draw};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

fn listops() -> Box<dyn Task> {
    configured(&crate::single::DECLARATION, &[]).unwrap()
}

/// Sizes are heights.
fn by_height() -> Box<dyn Task> {
    configured(&crate::single::DECLARATION, &[height()]).unwrap()
}

fn height() -> (&'static str, Value) {
    ("size_measure", Value::Text("height".to_owned()))
}

fn stream() -> Box<dyn Task> {
    configured(&crate::stream::DECLARATION, &[]).unwrap()
}

/// Both tasks with expressions of 40 tokens and heights from 3 to 8.
fn equal_lengths() -> [Box<dyn Task>; 2] {
    let given = [("minimum_length", 40), ("maximum_length", 40), ("minimum_depth", 3)];
    let given = given.map(|(name, value)| (name, Value::Integer(value)));
    let single = configured(&crate::single::DECLARATION, &[&given[..], &[height()]].concat()).unwrap();
    [single, configured(&crate::stream::DECLARATION, &given).unwrap()]
}
