//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{HELD_OUT_SHARE, Split, Task, TokenSize};

use super::{column, configured, draw, flip_flop, number, probability};

fn tasks() -> Vec<Box<dyn Task>> {
    let mut tasks = vec![flip_flop()];
    for ignore in [0.01, 0.1, 0.5, 0.98, 0.99] {
        tasks.push(configured(&[probability(ignore), number("instructions", 64)]).unwrap());
    }
    tasks
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..50 {
            for size in 1..=31 {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("flip-flop", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_bit_is_wrong() {
    let task = flip_flop();
    for seed in 0..100 {
        let instance = draw(&*task, 9, seed);
        let words: Vec<&str> = instance.answer.split(' ').collect();
        for place in 0..words.len() {
            for word in ["0", "1", "w", "r", "i", "<bos>"] {
                let mut answer = words.clone();
                answer[place] = word;
                let verdict = task.check(&instance.question, &answer.join(" ")).unwrap();
                assert_eq!(verdict.valid, answer == words);
            }
        }
    }
}

/// Distractors do not matter, and swapping all bits swaps all answers.
#[test]
fn answers_depend_on_writes_alone() {
    let task = flip_flop();
    for seed in 0..200 {
        let instance = draw(&*task, 9, seed);
        let flipped = instance.question.replace("i 0", "i x").replace("i 1", "i 0").replace("i x", "i 1");
        assert_eq!(task.answer(&flipped).unwrap(), instance.answer);
        let swap = |text: &str| text.replace('0', "x").replace('1', "0").replace('x', "1");
        assert_eq!(task.answer(&swap(&instance.question)).unwrap(), swap(&instance.answer));
        assert!(task.check(&swap(&instance.question), &swap(&instance.answer)).unwrap().valid);
    }
}

#[test]
fn a_key_names_one_instance() {
    let question = |seed| draw(&*flip_flop(), 8, seed).question;
    assert_eq!(question(5), question(5));
    assert_ne!(question(5), question(6));
    // Recorded, because later versions must generate the same instances.
    let short = configured(&[number("instructions", 16)]).unwrap();
    assert_eq!(draw(&*short, 3, 0).question, "w 1 i 0 i 1 i 0 i 0 i 1 i 0 i 0 i 1 i 0 i 1 i 0 w 0 i 0 i 0 r");
}

/// Every graded read comes after the start, and the start determines the problem.
#[test]
fn problems_are_starts() {
    let task = flip_flop();
    let (mut of_tokens, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
    for size in 1..=31 {
        for seed in 0..400 {
            let instance = draw(&*task, size, seed);
            let (tokens, problem) = (instance.tokens[..17].to_vec(), instance.problem().to_owned());
            assert_eq!(of_tokens.entry(tokens.clone()).or_insert(problem.clone()), &problem);
            assert_eq!(of_problem.entry(problem).or_insert(tokens.clone()), &tokens);
            let reads = (17..65).filter(|token| instance.loss_mask[*token]).count();
            assert!(reads > 0 && instance.graded().count() == reads);
        }
    }
    assert!(of_problem.len() > 3000);
}

#[test]
fn every_size_has_problems_to_hold_out() {
    for task in tasks() {
        for size in [1, 2, 8, 31] {
            let count = 8000;
            let held_out: BTreeSet<String> = (0..count)
                .map(|seed| draw(&*task, size, seed))
                .filter(|instance| instance.is_held_out())
                .map(|instance| instance.problem().to_owned())
                .collect();
            assert!(held_out.len() >= 20, "{size}: {}", held_out.len());
        }
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    let task = flip_flop();
    let count = 20_000;
    let held_out = (0..count).filter(|seed| draw(&*task, 7, *seed).is_held_out()).count() as f64;
    let share = 1.0 / HELD_OUT_SHARE as f64;
    // Instances share problems, so their number varies more than that of independent ones.
    assert!((held_out / count as f64 - share).abs() < 0.02, "{held_out}");
}

#[test]
fn targets_have_the_size_of_their_lag() {
    let given = [number("minimum_lag", 2), number("maximum_lag", 6), ("skip", Value::Text("4".into()))];
    let task = configured(&given).unwrap();
    for size in 1..=31 {
        for seed in 0..50 {
            let instance = draw(&*task, size, seed);
            for (token, lag) in column(&*task, &instance, "lag").into_iter().enumerate() {
                let lag = if instance.loss_mask[token] { lag as u32 } else { 0 };
                let split = match (size, lag) {
                    (2 | 3 | 5 | 6, _) => Split::InRange,
                    (_, 7..) => Split::Beyond,
                    _ => Split::Embedded,
                };
                assert_eq!(task.token_size(size, &instance, token), TokenSize { size: lag, split });
            }
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |size| flip_flop().sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(0), "size of flip-flop: expected L from 1 to 31, found 0");
    assert_eq!(refuse(32), "size of flip-flop: expected L from 1 to 31, found 32");
}

#[test]
fn the_largest_size_of_all_can_be_drawn() {
    for ignore in [0.01, 0.8, 0.99] {
        let task = configured(&[number("instructions", 512), probability(ignore)]).unwrap();
        for size in [1, 511] {
            let instance = draw(&*task, size, 0);
            assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
            let lags = column(&*task, &instance, "lag");
            assert_eq!(lags.into_iter().fold(0.0, f32::max), size as f32);
        }
    }
}
