//! Tests of the task, separate from the tested code.

mod conformance;
mod extremes;
mod fixtures;
mod grids;
mod guess;
mod hulls;
mod laws;
mod malformed;
mod properties;
mod statistics;

use haltbench_sdk::Result;
use haltbench_sdk::conformance::specimen;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

use crate::task::DECLARATION;

/// The task with these parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    specimen::configured(&DECLARATION, given)
}

fn clrs() -> Box<dyn Task> {
    configured(&[]).unwrap()
}
