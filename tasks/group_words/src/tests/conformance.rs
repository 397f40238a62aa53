use haltbench_sdk::Result;
use haltbench_sdk::conformance::check_task;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::{Task, TaskDeclaration};

use super::{configured, padded_words_of, words_of};
use crate::task::DECLARATION;

#[test]
fn group_words_keeps_its_promises() {
    check_task(&crate::task::DECLARATION);
}

/// The kit checks the default parameters, so every other configuration is checked as the default of a declaration.
const fn with(build: fn(&Parameters) -> Result<Box<dyn Task>>) -> TaskDeclaration {
    TaskDeclaration { build, parameters: &[], ..DECLARATION }
}

#[test]
fn every_group_keeps_them_in_every_form() {
    check_task(&const { with(|_| Ok(words_of("z60"))) });
    check_task(&const { with(|_| Ok(words_of("a4xz5"))) });
    check_task(&const { with(|_| Ok(words_of("s5"))) });
    check_task(&const { with(|_| Ok(padded_words_of("a5"))) });
    check_task(&const { with(|_| Ok(padded_words_of("s5"))) });
    check_task(&const { with(|_| configured(&[("skip", Value::Text("5, 9".into()))])) });
}
