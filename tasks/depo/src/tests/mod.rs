//! Tests of the task, apart from the code they test.

mod baseline;
mod conformance;
mod examples;
mod laws;
mod malformed;
mod properties;
mod reference;
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

/// Where a question breaks off, and why.
fn break_of<T>(result: Result<T>) -> (usize, String) {
    match result {
        Err(Error::Malformed { text: "question", position, message }) => (position, message),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the question parses"),
    }
}
