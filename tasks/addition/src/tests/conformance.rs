use haltbench_sdk::Result;
use haltbench_sdk::conformance::check_task;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::{Task, TaskDeclaration};

use super::{addition, configured, equally_long};
use crate::task::DECLARATION;

#[test]
fn addition_keeps_its_promises() {
    check_task(&crate::task::DECLARATION);
}

/// The kit checks the default parameters, so every other configuration is checked as the default of a declaration.
const fn with(build: fn(&Parameters) -> Result<Box<dyn Task>>) -> TaskDeclaration {
    TaskDeclaration { build, parameters: &[], ..DECLARATION }
}

#[test]
fn every_form_keeps_them() {
    check_task(&const { with(|_| Ok(addition("least", true))) });
    check_task(&const { with(|_| Ok(addition("most", false))) });
    check_task(&const { with(|_| Ok(addition("least", false))) });
    check_task(&const { with(|_| Ok(equally_long("most"))) });
    check_task(&const { with(|_| Ok(equally_long("least"))) });
    check_task(&const { with(|_| configured(&[("nine_probability", Value::Real(1.0))])) });
    check_task(
        &const { with(|_| configured(&[("nine_probability", Value::Integer(0)), ("skip", Value::Text("3".into()))])) },
    );
}
