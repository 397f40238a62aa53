use haltbench_sdk::Result;
use haltbench_sdk::conformance::check_task;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::{Task, TaskDeclaration};

use super::{configured, equally_long, of_kinds, walk};
use crate::task::DECLARATION;

#[test]
fn dyck_keeps_its_promises() {
    check_task(&crate::task::DECLARATION);
}

/// The kit checks the default parameters, so every other configuration is checked as the default of a declaration.
const fn with(build: fn(&Parameters) -> Result<Box<dyn Task>>) -> TaskDeclaration {
    TaskDeclaration { build, parameters: &[], ..DECLARATION }
}

#[test]
fn every_form_keeps_them() {
    check_task(&const { with(|_| Ok(of_kinds(1, 2))) });
    check_task(&const { with(|_| Ok(of_kinds(2, 3))) });
    check_task(&const { with(|_| Ok(of_kinds(128, 8))) });
    check_task(&const { with(|_| Ok(equally_long(1))) });
    check_task(&const { with(|_| Ok(equally_long(4))) });
    check_task(&const { with(|_| Ok(walk(1, 8))) });
    check_task(&const { with(|_| Ok(walk(3, 4))) });
    check_task(&const { with(|_| configured(&[("skip", Value::Text("15, 20".into()))])) });
}
