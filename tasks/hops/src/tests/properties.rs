//! Properties that hold for every instance.

use std::collections::BTreeMap;

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::HELD_OUT_SHARE;

use super::{draw, fixed, forms, hops};

#[test]
fn generator_solver_and_checker_agree() {
    for task in forms().into_iter().chain([fixed(1, "every"), fixed(3, "last"), fixed(100, "every")]) {
        for seed in 0..60 {
            for size in (6..=32).chain([64, 128]) {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("hops", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_letter_is_wrong() {
    for task in forms() {
        for seed in 0..20 {
            let instance = draw(&*task, 10, seed);
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
    assert_eq!(draw(&*hops(), 8, 0).question, "8 d c d a b a b c");
}

/// The problem is the start of a string, or all of it, whatever the number of hops.
#[test]
fn problems_are_strings_or_their_starts() {
    for task in forms() {
        let (mut of_letters, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
        for size in [6, 7, 10] {
            for seed in 0..3000 {
                let instance = draw(&*task, size, seed);
                let letters: String =
                    instance.question.chars().filter(|character| character.is_ascii_lowercase()).collect();
                let is_every = instance.answer.contains(' ');
                let named = letters[..if is_every { 6 } else { letters.len() }].to_owned();
                let problem = instance.problem().to_owned();
                assert_eq!(of_letters.entry(named.clone()).or_insert(problem.clone()), &problem);
                assert_eq!(of_problem.entry(problem).or_insert(named.clone()), &named);
                assert!(instance.canonical().len() > instance.problem().len());
            }
        }
        assert!(of_problem.len() > 900);
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in forms() {
        for size in [6, 14] {
            let count = 8000;
            let held_out = (0..count).filter(|seed| draw(&*task, size, *seed).is_held_out()).count() as f64;
            let share = held_out / count as f64;
            // 972 starts: the share of those held out has a standard deviation of .0106, and the sample one of .0037.
            assert!((share - 1.0 / HELD_OUT_SHARE as f64).abs() < 0.045, "{share}");
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| hops().sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(5), "size of hops: expected N from 6 to 128, found 5");
    assert_eq!(refuse(129), "size of hops: expected N from 6 to 128, found 129");
}
