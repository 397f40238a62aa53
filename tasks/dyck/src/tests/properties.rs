//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::HELD_OUT_SHARE;

use super::{draw, dyck, forms, of_kinds};

#[test]
fn generator_solver_and_checker_agree() {
    for task in forms() {
        for seed in 0..60 {
            for size in (11..=32).chain([64, 128]) {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("dyck", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_answer_is_wrong() {
    for task in forms() {
        for seed in 0..10 {
            let instance = draw(&*task, 11, seed);
            let words: Vec<&str> = instance.answer.split(' ').collect();
            for place in 0..words.len() {
                for word in &task.spec().vocabulary {
                    let mut answer = words.clone();
                    answer[place] = word;
                    let verdict = task.check(&instance.question, &answer.join(" ")).unwrap();
                    assert_eq!(verdict.valid, answer == words);
                }
            }
        }
    }
}

#[test]
fn a_key_names_one_instance() {
    for task in forms() {
        let text = |seed| draw(&*task, 12, seed).question;
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }
    // Recorded, because later versions must generate the same instances.
    assert_eq!(draw(&*dyck(), 8, 0).question, "( ( ( ( ) ) ) ( ( ) ( ) ) ) ( )");
    assert_eq!(draw(&*of_kinds(2, 3), 6, 0).question, "(2 ) (2 ) (1 (1 ) (1 (1 ) ) )");
}

/// The problem is the start of the brackets, and no more than one in 200 words shares it, give or take.
#[test]
fn problems_are_starts() {
    for (task, start) in forms().into_iter().zip([12, 16, 4, 12, 6, 18, 8]) {
        let mut of_start = BTreeMap::new();
        let mut frequencies: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..6000 {
            let instance = draw(&*task, 12, seed);
            let brackets: Vec<&str> = instance.question.split(' ').filter(|word| *word != ".").take(start).collect();
            let problem = instance.problem().to_owned();
            assert_eq!(problem, format!("{} ", brackets.join(" ")));
            assert_eq!(of_start.entry(brackets.join(" ")).or_insert(problem.clone()), &problem);
            *frequencies.entry(problem).or_default() += 1;
            assert!(instance.canonical().len() > instance.problem().len());
        }
        let most = frequencies.values().max().unwrap();
        assert!(frequencies.len() >= 200 && *most < 60, "{}, {most}", frequencies.len());
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in forms() {
        for size in [11, 20] {
            let drawn: Vec<_> = (0..8000).map(|seed| draw(&*task, size, seed)).collect();
            let held_out: Vec<&str> =
                drawn.iter().filter(|instance| instance.is_held_out()).map(|instance| instance.problem()).collect();
            let share = held_out.len() as f64 / 8000.0;
            // Of at least 200 starts; their share has a standard deviation of at most .023.
            assert!((share - 1.0 / HELD_OUT_SHARE as f64).abs() < 0.1, "{share}");
            assert!(held_out.into_iter().collect::<BTreeSet<_>>().len() > 15);
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| dyck().sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(7), "size of dyck: expected N from 8 to 128, found 7");
    assert_eq!(refuse(129), "size of dyck: expected N from 8 to 128, found 129");
}
