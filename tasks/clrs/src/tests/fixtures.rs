//! Questions and answers written by the benchmark's own package, see `fixtures/make_fixtures.py`.

use serde_json::Value;

use super::clrs;
use crate::argsort::argsort;
use crate::published::TABLE;
use crate::question;
use crate::solve::solve;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn records() -> Vec<Value> {
    lines(include_str!("../../fixtures/clrs_text.jsonl"))
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

#[test]
fn keys_are_ordered_as_the_benchmark_orders_them() {
    for line in lines(include_str!("../../fixtures/argsort.jsonl")) {
        let keys: Vec<f64> = numbers(&line["keys"]).into_iter().map(|key| key as f64).collect();
        let order: Vec<u64> = argsort(&keys).into_iter().map(|index| index as u64).collect();
        assert_eq!(order, numbers(&line["order"]), "{keys:?}");
    }
}

#[test]
fn every_algorithm_occurs_at_several_sizes() {
    for row in &TABLE {
        let mut sizes: Vec<u64> = records()
            .iter()
            .filter(|record| text(record, "algorithm") == row.name)
            .map(|record| record["size"].as_u64().unwrap())
            .collect();
        sizes.dedup();
        assert!(sizes.len() >= 4, "{}: {sizes:?}", row.name);
    }
}

#[test]
fn answers_are_the_benchmarks() {
    let task = clrs();
    let mut wrong = Vec::new();
    for record in records() {
        let question = text(&record, "question");
        let answer = task.answer(question).map_err(|error| error.to_string());
        if answer.as_deref() != Ok(text(&record, "answer")) {
            wrong.push(format!("{question}{}is not {answer:?}", text(&record, "answer")));
        }
        let verdict = task.check(question, text(&record, "answer"));
        match verdict {
            Ok(verdict) if verdict.valid => {}
            other => wrong.push(format!("{question}{}: {other:?}", text(&record, "answer"))),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

#[test]
fn questions_are_written_as_they_are_read() {
    for record in records() {
        let (row, input) = question::read(text(&record, "question")).unwrap();
        let mut written = String::new();
        question::write(&mut written, row, &input);
        assert_eq!(written, text(&record, "question"));
    }
}

#[test]
fn entries_settle_in_the_steps_of_the_benchmarks_traces() {
    let mut wrong = Vec::new();
    for record in records() {
        let (row, input) = question::read(text(&record, "question")).unwrap();
        let trace = solve(row.algorithm, &input).unwrap();
        let settled: Vec<u64> = trace.settled.iter().map(|step| u64::from(*step)).collect();
        let same = record["settled"].is_null() || settled == numbers(&record["settled"]);
        if !same || u64::from(trace.steps()) != record["steps"].as_u64().unwrap() {
            let found = format!("{settled:?} of {}", trace.steps());
            wrong.push(format!("{}: {found}, not {} of {}", row.name, record["settled"], record["steps"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}
