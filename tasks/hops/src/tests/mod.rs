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

fn hops() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

/// The task with a fixed number of hops.
fn fixed(hops: i64, answers: &str) -> Box<dyn Task> {
    let given = [("hops", text("fixed")), ("maximum_hops", Value::Integer(hops)), ("answers", text(answers))];
    configured(&given).unwrap()
}

/// The task in every form.
fn forms() -> Vec<Box<dyn Task>> {
    let mut forms = Vec::new();
    for (hops, answers) in [("printed", "every"), ("printed", "last"), ("fixed", "every"), ("fixed", "last")] {
        for equal_length in [false, true] {
            let given = [("hops", text(hops)), ("answers", text(answers)), ("equal_length", Value::Flag(equal_length))];
            forms.push(configured(&given).unwrap());
        }
    }
    forms
}
