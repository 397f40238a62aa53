//! Tests of the tasks, separate from the tested code.

mod conformance;
mod copy_examples;
mod copy_laws;
mod copy_properties;
mod settings;
mod statistics;
mod unique_set_examples;
mod unique_set_laws;
mod unique_set_properties;

use haltbench_sdk::conformance::specimen::{break_of, column, configured, draw};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

fn unique_set() -> Box<dyn Task> {
    configured(&crate::unique_set::DECLARATION, &[]).unwrap()
}

fn unique_sets(given: &[(&str, Value)]) -> Box<dyn Task> {
    configured(&crate::unique_set::DECLARATION, given).unwrap()
}

fn copy() -> Box<dyn Task> {
    configured(&crate::copy::DECLARATION, &[]).unwrap()
}

fn copies(given: &[(&str, Value)]) -> Box<dyn Task> {
    configured(&crate::copy::DECLARATION, given).unwrap()
}

fn number(name: &'static str, value: i64) -> (&'static str, Value) {
    (name, Value::Integer(value))
}

fn text(name: &'static str, value: &str) -> (&'static str, Value) {
    (name, Value::Text(value.to_owned()))
}

/// Whether a share of `count` independent cases is as expected.
fn agree(found: f64, share: f64, count: usize, what: &str) {
    let deviation = (share * (1.0 - share) / count as f64).sqrt();
    assert!((found - share).abs() < 4.5 * deviation + 1e-9, "{what}: {found}, not {share}");
}
