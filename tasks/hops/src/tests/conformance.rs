use haltbench_sdk::Result;
use haltbench_sdk::conformance::check_task;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::{Task, TaskDeclaration};

use super::{configured, fixed, forms};
use crate::task::DECLARATION;

#[test]
fn hops_keeps_its_promises() {
    check_task(&crate::task::DECLARATION);
}

/// The kit checks the default parameters, so every other configuration is checked as the default of a declaration.
const fn with(build: fn(&Parameters) -> Result<Box<dyn Task>>) -> TaskDeclaration {
    TaskDeclaration { build, parameters: &[], ..DECLARATION }
}

#[test]
fn every_form_keeps_them() {
    check_task(&const { with(|_| Ok(forms().remove(1))) });
    check_task(&const { with(|_| Ok(forms().remove(2))) });
    check_task(&const { with(|_| Ok(forms().remove(3))) });
    check_task(&const { with(|_| Ok(forms().remove(4))) });
    check_task(&const { with(|_| Ok(forms().remove(7))) });
    check_task(&const { with(|_| Ok(fixed(1, "every"))) });
    check_task(&const { with(|_| configured(&[("alphabet", Value::Integer(3)), ("skip", Value::Text("20".into()))])) });
    check_task(&const { with(|_| configured(&[("alphabet", Value::Integer(26))])) });
}
