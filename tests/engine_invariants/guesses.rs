//! Guesses on the instances of an evaluation, against known values for the task.

use std::collections::BTreeMap;

use haltbench_engine::data::evaluation_instances;
use haltbench_engine::guesses::measure;
use haltbench_engine::plan::Evaluation;
use haltbench_sdk::parameters::{Parameters, Value};
use haltbench_sdk::task::Task;

use crate::setup::catalogue;

fn task(name: &str, given: &[(&str, Value)]) -> Box<dyn Task> {
    let declaration = catalogue().task(name).unwrap();
    let given: BTreeMap<String, Value> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (declaration.build)(&Parameters::resolve(name, declaration.parameters, &given).unwrap()).unwrap()
}

/// Means and numbers of instances, by guess, measure and split.
fn scores(name: &str, task: &dyn Task, evaluation: &Evaluation) -> BTreeMap<(String, String, String), (f64, usize)> {
    let instances = evaluation_instances(task, name, evaluation, &|| None).unwrap();
    let measured = measure(task, name, &instances).unwrap();
    assert_eq!(measured, measure(task, name, &instances).unwrap());
    let rows = measured.iter().flat_map(|guess| guess.metrics.iter().map(|row| (guess.name.clone(), row)));
    rows.map(|(guess, row)| {
        let split = row.split.clone().unwrap();
        ((guess, row.metric.clone(), split), (row.value.unwrap(), row.count))
    })
    .collect()
}

/// The answer to a prefix expression of ten operators modulo 23 is 0 with probability .070258, and no other is more
/// likely.
#[test]
fn always_zero_is_the_best_guess_of_mano() {
    let task = task("mano", &[]);
    let evaluation = Evaluation { instances: 1500, in_range: Some(vec![10]), ..Evaluation::default() };
    let evaluation = Evaluation { between: Some(vec![]), beyond: Some(vec![]), ..evaluation };
    let scores = scores("mano", &*task, &evaluation);
    for measure in ["token_accuracy", "exact_match"] {
        let of = |guess: &str| scores[&(guess.to_owned(), measure.to_owned(), "in_range".to_owned())];
        assert_eq!(of("most-frequent").1, 1500);
        assert!((of("most-frequent").0 - 0.070258).abs() < 0.027, "{:?}", of("most-frequent"));
        assert!((of("random-answer").0 - 1.0 / 23.0).abs() < 0.022, "{:?}", of("random-answer"));
    }
}

/// Ten questions about one cycle of six nodes: six of them, each with one of six answers.
#[test]
fn every_split_has_its_own_scores() {
    let task = task("depo", &[("maximum_nodes", Value::Integer(8))]);
    let evaluation = Evaluation { instances: 400, in_range: Some(vec![6]), ..Evaluation::default() };
    let evaluation = Evaluation { beyond: Some(vec![10]), ..evaluation };
    let scores = scores("depo", &*task, &evaluation);
    let of = |measure: &str, split: &str| scores[&("random-node".to_owned(), measure.to_owned(), split.to_owned())];
    assert_eq!((of("token_accuracy", "in_range").1, of("exact_match", "in_range").1), (2400, 400));
    assert!((of("token_accuracy", "in_range").0 - 1.0 / 6.0).abs() < 0.031);
    assert!((of("token_accuracy", "beyond").0 - 0.1).abs() < 0.02);
    assert_eq!(of("exact_match", "in_range").0, 0.0);
}
