//! Tests of the two tasks, apart from the code they test.

mod conformance;
mod examples;
mod laws;
mod malformed;
mod properties;
mod reference;

use std::collections::BTreeMap;

use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task, TaskDeclaration};
use haltbench_sdk::{Error, Result};

/// A task with some parameters set.
fn configured(declaration: &TaskDeclaration, given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (declaration.build)(&Parameters::resolve(declaration.name, declaration.parameters, &given)?)
}

fn mano() -> Box<dyn Task> {
    configured(&crate::prefix::DECLARATION, &[]).unwrap()
}

fn stream() -> Box<dyn Task> {
    configured(&crate::stream::DECLARATION, &[]).unwrap()
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
