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

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn depo() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

/// The released task with names of one or two tokens, or of five to seven.
fn released(letters: i64, lengths: [i64; 2], nodes: i64, hops: i64) -> Box<dyn Task> {
    let number = |name, value| (name, Value::Integer(value));
    let given = [
        number("vocabulary", letters),
        number("shortest_name", lengths[0]),
        number("longest_name", lengths[1]),
        number("maximum_nodes", nodes),
        number("maximum_hops", hops),
        ("spare_vocabulary", Value::Flag(false)),
    ];
    configured(&given).unwrap()
}
