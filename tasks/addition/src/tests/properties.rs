//! Properties that hold for every instance.

use std::collections::BTreeSet;

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::HELD_OUT_SHARE;

use super::{addition, draw, forms};

#[test]
fn generator_solver_and_checker_agree() {
    for task in forms() {
        for seed in 0..100 {
            for size in (1..=16).chain([32]) {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("addition", task.spec()).unwrap();
            }
        }
    }
}

/// Sums as 64-bit numbers.
#[test]
fn sums_are_those_of_integers() {
    let number = |text: &str, is_most: bool| -> u64 {
        let digits = text.split(' ').map(|digit| digit.parse::<u64>().unwrap());
        let digits: Vec<u64> = if is_most { digits.collect() } else { digits.rev().collect() };
        digits.into_iter().fold(0, |number, digit| 10 * number + digit)
    };
    for first in ["most", "least"] {
        for task in [addition(first, true), addition(first, false)] {
            for seed in 0..3000 {
                let instance = draw(&*task, 1 + seed as u32 % 18, seed);
                let (left, right) = instance.question.split_once(" + ").unwrap();
                let [left, right, sum] = [left, right, &instance.answer].map(|text| number(text, first == "most"));
                assert_eq!(left + right, sum, "{} = {}", instance.question, instance.answer);
            }
        }
    }
}

#[test]
fn every_other_digit_is_wrong() {
    for task in forms() {
        for seed in 0..20 {
            let instance = draw(&*task, 4, seed);
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
        let text = |seed| draw(&*task, 8, seed).question;
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }
    // Recorded, because later versions must generate the same instances.
    assert_eq!(draw(&*addition("most", true), 4, 0).question, "1 8 0 8 + 8 8 6 9");
    assert_eq!(draw(&*addition("least", false), 4, 0).question, "8 1 + 9 6 7 9");
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in forms() {
        let count = 8000;
        let held_out = (0..count).filter(|seed| draw(&*task, 6, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        let deviation = (count as f64 * share * (1.0 - share)).sqrt();
        assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
    }
}

/// There are 55 sums of two digits: both parts need some.
#[test]
fn every_size_has_problems_to_hold_out() {
    for task in forms() {
        for (size, least) in [(1, 4), (2, 400), (3, 1000)] {
            let drawn: Vec<_> = (0..20_000).map(|seed| draw(&*task, size, seed)).collect();
            let held_out = drawn.iter().filter(|instance| instance.is_held_out());
            let distinct = held_out.map(|instance| instance.problem()).collect::<BTreeSet<_>>().len();
            assert!(distinct >= least && drawn.iter().any(|instance| !instance.is_held_out()), "{size}: {distinct}");
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| addition("most", true).sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(0), "size of addition: expected N from 1 to 32, found 0");
    assert_eq!(refuse(33), "size of addition: expected N from 1 to 32, found 33");
}
