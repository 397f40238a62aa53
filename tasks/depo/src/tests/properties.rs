//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{HELD_OUT_SHARE, Task};

use super::{configured, depo, draw, released, text};

fn tasks() -> Vec<Box<dyn Task>> {
    vec![
        depo(),
        released(50, [1, 2], 60, 8),
        released(3, [5, 7], 60, 16),
        configured(&[("hop_encoding", text("unary")), ("hop_law", text("powers"))]).unwrap(),
        configured(&[("hop_encoding", text("digits")), ("maximum_hops", Value::Integer(100))]).unwrap(),
    ]
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..60 {
            for size in [3, 4, 5, 7, 11, 17, 30, 60] {
                let instance = draw(&*task, size, seed);
                instance.validate("depo", task.spec()).unwrap();
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer, "{}", instance.question);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                let starts: BTreeSet<&str> =
                    instance.question.split(" ? ").skip(1).filter_map(|query| query.split(' ').next()).collect();
                assert_eq!(starts.len(), instance.answer.split(' ').count(), "starts differ");
            }
        }
    }
}

#[test]
fn damaged_answers_are_wrong() {
    let mut draws = Stream::new(1, "damage", &[]);
    for task in tasks() {
        for seed in 0..60 {
            let instance = draw(&*task, 13, seed);
            let answers: Vec<&str> = instance.answer.split(' ').collect();
            let place = draws.below(answers.len() as u64) as usize;
            let (before, after) = answers.split_at(place);
            let mut damaged = vec![
                Vec::new(),
                [before, &after[1..]].concat(),
                [before, &after[..1], after].concat(),
                [before, &["x"], &after[1..]].concat(),
            ];
            for other in instance.question.split(" ? ").next().unwrap().split([' ', '>']) {
                if other != answers[place] {
                    damaged.push([before, &[other], &after[1..]].concat());
                }
            }
            let second = draws.below(answers.len() as u64) as usize;
            if answers[place] != answers[second] {
                let mut swapped = answers.clone();
                swapped.swap(place, second);
                damaged.push(swapped);
            }
            // If equal answers are adjacent, the text does not show which one was dropped, but it shows that one was.
            for answer in damaged.iter().map(|answer| answer.join(" ")) {
                let verdict = task.check(&instance.question, &answer).unwrap();
                assert!(!verdict.valid && !verdict.reason.is_empty(), "{} = {answer}", instance.question);
            }
        }
    }
}

#[test]
fn a_key_names_one_instance() {
    let question = |seed| draw(&*depo(), 8, seed).question;
    assert_eq!(question(5), question(5));
    assert_ne!(question(5), question(6));
    // Recorded, because later versions must generate the same instances.
    let instance = draw(&*depo(), 3, 0);
    assert_eq!(format!("{} = {}", instance.question, instance.answer), "58>8 8>35 35>58 ? 35 5 ? 58 7 ? 8 5 = 8 8 58");
}

/// Questions and the order of edges do not change the problem; every other cycle is another problem.
#[test]
fn problems_are_cycles() {
    for task in
        [depo(), configured(&[("shortest_name", Value::Integer(2)), ("longest_name", Value::Integer(3))]).unwrap()]
    {
        let (mut of_cycle, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
        for size in [3, 4, 9] {
            for seed in 0..4000 {
                let instance = draw(&*task, size, seed);
                let edges = instance.question.split(' ').filter(|word| word.contains('>')).map(str::to_owned);
                let (cycle, problem) = (edges.collect::<BTreeSet<_>>(), instance.problem().to_owned());
                assert_eq!(cycle.len(), size as usize);
                assert_eq!(of_cycle.entry(cycle.clone()).or_insert(problem.clone()), &problem);
                assert_eq!(of_problem.entry(problem).or_insert(cycle.clone()), &cycle);
                assert!(instance.canonical().len() > instance.problem().len());
            }
        }
        assert!(of_problem.len() > 4000);
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    let count = 8000;
    let held_out = (0..count).filter(|seed| draw(&*depo(), 7, *seed).is_held_out()).count() as f64;
    let share = 1.0 / HELD_OUT_SHARE as f64;
    let deviation = (count as f64 * share * (1.0 - share)).sqrt();
    assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
}

#[test]
fn grids_follow_the_parameters() {
    let knob = depo().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (3, 60, (3..=30).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![38, 45, 60]));
    let refuse = |size| depo().sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(2), "size of depo: expected N from 3 to 60, found 2");
    assert_eq!(refuse(61), "size of depo: expected N from 3 to 60, found 61");
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |given: &[(&str, Value)]| configured(given).err().unwrap().to_string();
    let number = |name, value| (name, Value::Integer(value));
    assert_eq!(
        refuse(&[number("vocabulary", 59)]),
        "parameter `vocabulary` of depo: expected enough for 60 to 100000 names of 1 to 1 tokens, found 59, which makes 59"
    );
    assert!(refuse(&[number("minimum_nodes", 31)]).contains("at least minimum_nodes, which is 31, found 30"));
    assert!(refuse(&[number("maximum_hops", 0)]).contains("from 1 to 1024"));
    assert!(refuse(&[("skip", text("3"))]).contains("distinct sizes strictly between 3 and 30"));
    assert!(refuse(&[("hop_encoding", text("binary"))]).contains("one of token, unary, digits"));
}
