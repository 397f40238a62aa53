//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{HELD_OUT_SHARE, Task};

use super::{draw, padded_words_of, words_of};

const GROUPS: [&str; 4] = ["z60", "a4xz5", "a5", "s5"];

fn tasks() -> Vec<Box<dyn Task>> {
    GROUPS.into_iter().flat_map(|group| [words_of(group), padded_words_of(group)]).collect()
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..60 {
            for size in (2..=20).chain([64]) {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("group-words", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_element_is_wrong() {
    for task in tasks() {
        for seed in 0..8 {
            let instance = draw(&*task, 5, seed);
            let words: Vec<&str> = instance.answer.split(' ').collect();
            for place in 0..5 {
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
    for task in tasks() {
        let text = |seed| draw(&*task, 8, seed).question;
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }
    // Recorded, because later versions must generate the same instances.
    assert_eq!(draw(&*words_of("a5"), 4, 0).question, "20413 13042 13204 31402");
    assert_eq!(draw(&*words_of("z60"), 4, 0).question, "26 18 19 41");
}

/// The first two elements that are not padding determine the problem, and the problem determines them.
#[test]
fn a_problem_is_two_elements() {
    for task in tasks() {
        let (mut of_elements, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
        for size in [2, 3, 9] {
            for seed in 0..2000 {
                let instance = draw(&*task, size, seed);
                let elements = instance.tokens[1..].iter().copied();
                let is_padded = instance.tokens.len() == 65;
                let start: Vec<u32> = elements.filter(|element| !is_padded || *element > 1).take(2).collect();
                let problem = instance.problem().to_owned();
                assert_eq!(of_elements.entry(start.clone()).or_insert(problem.clone()), &problem);
                assert_eq!(of_problem.entry(problem).or_insert(start.clone()), &start);
                assert!(instance.canonical().len() > instance.problem().len());
            }
        }
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out_at_every_size() {
    for task in tasks() {
        for size in [2, 7] {
            let drawn: Vec<_> = (0..8000).map(|seed| draw(&*task, size, seed)).collect();
            let held_out: Vec<&str> =
                drawn.iter().filter(|drawn| drawn.is_held_out()).map(|drawn| drawn.problem()).collect();
            let share = held_out.len() as f64 / 8000.0;
            // 3600 starts: the share of those held out has a standard deviation of .0055, and the sample one of .0037.
            assert!((share - 1.0 / HELD_OUT_SHARE as f64).abs() < 0.027, "{share}");
            assert!(held_out.into_iter().collect::<BTreeSet<_>>().len() > 300);
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| words_of("a5").sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(1), "size of group-words: expected N from 2 to 64, found 1");
    assert_eq!(refuse(65), "size of group-words: expected N from 2 to 64, found 65");
}
