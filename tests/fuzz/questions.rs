//! Questions and answers of every task.

use haltbench_engine::plugins;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use crate::harness::{Target, said};

/// The task `name` with these parameters.
pub fn task(name: &str, given: &[(&str, Value)]) -> Box<dyn Task> {
    let declaration = plugins::catalogue(&[]).unwrap().0.task(name).unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let parameters = Parameters::resolve(name, declaration.parameters, &given).unwrap();
    (declaration.build)(&parameters).unwrap()
}

/// Separates question and answer in an input.
const BETWEEN: &str = "\u{1}";

/// Questions with their answers, of small and large sizes.
fn seeds(task: &dyn Task) -> Vec<Vec<u8>> {
    let sizes =
        task.spec().size.as_ref().map_or(vec![0], |knob| vec![knob.minimum, knob.training[0], knob.maximum.min(12)]);
    let draw = |place: u64| {
        let mut stream = Stream::new(9, "fuzz", &[place]);
        let size = sizes[place as usize % sizes.len()];
        task.sample(size, &mut stream).ok().map(|instance| format!("{}{BETWEEN}{}", instance.question, instance.answer))
    };
    (0..40).filter_map(draw).map(String::into_bytes).collect()
}

fn fuzz(name: &str, given: &[(&str, Value)], cases: u32) {
    let task = task(name, given);
    let target = Target { name, seeds: seeds(task.as_ref()), cases };
    target.fuzz(|bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        let (question, answer) = text.split_once(BETWEEN).unwrap_or((&text, ""));
        let checked = task.check(question, answer);
        // What the task answers, its checker accepts, if it reads the question too.
        if let (Ok(own), Ok(_)) = (task.answer(question), &checked) {
            let verdict = task.check(question, &own).unwrap();
            assert!(verdict.valid, "{question:?} {own:?}: {}", verdict.reason);
        }
        said(checked)
    });
}

#[test]
fn mano() {
    fuzz("mano", &[], 2000);
    fuzz("mano-stream", &[], 2000);
}

#[test]
fn brevo() {
    fuzz("brevo", &[], 2000);
}

#[test]
fn depo() {
    fuzz("depo", &[], 2000);
}

#[test]
fn lano() {
    fuzz("lano", &[("grammar", Value::Text("toy".to_owned()))], 2000);
    fuzz("lano", &[], 150);
}

#[test]
fn clrs() {
    fuzz("clrs", &[], 2500);
}
