//! Tests of the two tasks, separate from the tested code.

mod conformance;
mod examples;
mod laws;
mod malformed;
mod properties;
mod reference;
mod statistics;

use haltbench_sdk::conformance::specimen::{break_of, column, configured, draw};
use haltbench_sdk::task::Task;

fn mano() -> Box<dyn Task> {
    configured(&crate::prefix::DECLARATION, &[]).unwrap()
}

fn stream() -> Box<dyn Task> {
    configured(&crate::stream::DECLARATION, &[]).unwrap()
}
