//! Tests of the task, apart from the code they test.

mod conformance;
mod fixtures;
mod grids;
mod laws;
mod malformed;
mod properties;
mod statistics;

use std::collections::BTreeMap;

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::Task;

use crate::task::DECLARATION;

/// The task with some parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (DECLARATION.build)(&Parameters::resolve(DECLARATION.name, DECLARATION.parameters, &given)?)
}

fn clrs() -> Box<dyn Task> {
    configured(&[]).unwrap()
}
