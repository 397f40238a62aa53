//! Tests of the task, apart from the code they test.

mod baseline;
mod conformance;
mod examples;
mod laws;
mod malformed;
mod pairs;
mod parameters;
mod properties;
mod reference;
mod spelled_example;
mod statistics;

use std::collections::BTreeMap;

use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};
use haltbench_sdk::{Error, Result};

use crate::task::DECLARATION;

/// The task with some parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (DECLARATION.build)(&Parameters::resolve(DECLARATION.name, DECLARATION.parameters, &given)?)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// The task of the paper.
fn canonical() -> Box<dyn Task> {
    configured(&[]).unwrap()
}

/// The released task with names of one token: as many names as nodes.
fn released(largest: i64) -> Box<dyn Task> {
    let size = Value::Integer(largest);
    configured(&[("order", text("any")), ("maximum_nodes", size), ("spare_vocabulary", Value::Flag(false))]).unwrap()
}

/// The released task with names of two to four tokens.
fn spelled(order: &str) -> Box<dyn Task> {
    let (shortest, longest) = (("shortest_name", Value::Integer(2)), ("longest_name", Value::Integer(4)));
    configured(&[("order", text(order)), ("maximum_nodes", Value::Integer(50)), shortest, longest]).unwrap()
}

fn draw(task: &dyn Task, size: u32, seed: u64) -> Instance {
    task.sample(size, &mut Stream::new(seed, "test", &[u64::from(size)])).unwrap()
}

/// The column called `name`, a complexity or a feature.
fn column<'a>(task: &dyn Task, instance: &'a Instance, name: &str) -> &'a [f32] {
    let spec = task.spec();
    let complexities = spec.complexities.iter().map(|column| column.name).zip(&instance.complexities);
    let features = spec.features.iter().map(|column| column.name).zip(&instance.features);
    complexities.chain(features).find(|(found, _)| *found == name).unwrap().1
}

/// The defined values of a column at names, in order.
fn values(column: &[f32]) -> Vec<f64> {
    column.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value)).collect()
}

/// Where a question breaks off, and why.
fn break_of<T>(result: Result<T>) -> (usize, String) {
    match result {
        Err(Error::Malformed { text: "question", position, message }) => (position, message),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the question parses"),
    }
}
