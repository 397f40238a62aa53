//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{HELD_OUT_SHARE, Split, Task, TokenSize};

use super::{configured, draw, mano, stream};
use crate::{prefix, stream as postfix};

fn tasks() -> Vec<Box<dyn Task>> {
    let mut tasks = vec![mano(), stream()];
    for declaration in [prefix::DECLARATION, postfix::DECLARATION] {
        for (modulus, operators) in [(2, "*"), (12, "-+"), (997, "+-*")] {
            let given = [("modulus", Value::Integer(modulus)), ("operators", Value::Text(operators.into()))];
            tasks.push(configured(&declaration, &given).unwrap());
        }
    }
    tasks
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..100 {
            for size in 1..=16 {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("mano", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_value_is_wrong() {
    for task in [mano(), stream()] {
        for seed in 0..20 {
            let instance = draw(&*task, 6, seed);
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
    for task in [mano(), stream()] {
        let text = |seed| draw(&*task, 8, seed).question;
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }
    // Recorded, because later versions must generate the same instances.
    assert_eq!(draw(&*mano(), 4, 0).question, "+ * + 6 20 0 * 12 17");
    assert_eq!(draw(&*stream(), 4, 0).question, "6 20 + 0 * 12 17 * +");
}

#[test]
fn the_order_of_the_operators_is_of_no_account() {
    let task = |text: &str| configured(&prefix::DECLARATION, &[("operators", Value::Text(text.into()))]).unwrap();
    assert_eq!(draw(&*task("*+"), 9, 2).question, draw(&*task("+*"), 9, 2).question);
}

/// The tokens up to the first operator determine the problem, and the problem determines them.
#[test]
fn a_problem_of_the_stream_is_what_its_first_answer_is_told_from() {
    for modulus in [3, 23] {
        let task = configured(&postfix::DECLARATION, &[("modulus", Value::Integer(modulus))]).unwrap();
        let (mut of_tokens, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
        for size in 1..=8 {
            for seed in 0..500 {
                let instance = draw(&*task, size, seed);
                let first = instance.loss_mask.iter().position(|loss| *loss).unwrap();
                let (tokens, problem) = (instance.tokens[..=first].to_vec(), instance.problem().to_owned());
                assert_eq!(of_tokens.entry(tokens.clone()).or_insert(problem.clone()), &problem);
                assert_eq!(of_problem.entry(problem).or_insert(tokens.clone()), &tokens);
                assert_eq!(instance.graded().count(), size as usize);
            }
        }
    }
    let drawn = draw(&*stream(), 4, 0);
    assert_eq!((drawn.canonical(), drawn.problem()), ("mod 23: 6 20 + 0 * 12 17 * +", "mod 23: 6 20 +"));
}

/// With modulus 3, only 27 problems have the form `a b` operator: both training and evaluation need some.
#[test]
fn every_size_of_a_small_modulus_has_problems_to_hold_out() {
    let given = [("modulus", Value::Integer(3)), ("minimum_operators", Value::Integer(2))];
    let task = configured(&postfix::DECLARATION, &given).unwrap();
    for (size, least) in [(1, 4), (2, 60), (3, 800), (4, 1000), (5, 1000), (6, 1000), (7, 1000), (8, 1000)] {
        let drawn: Vec<_> = (0..20_000).map(|seed| draw(&*task, size, seed)).collect();
        let held_out: Vec<&str> =
            drawn.iter().filter(|instance| instance.is_held_out()).map(|instance| instance.canonical()).collect();
        let share = held_out.len() as f64 / drawn.len() as f64;
        let distinct = held_out.into_iter().collect::<BTreeSet<_>>().len();
        assert!((0.11..0.16).contains(&share) && distinct >= least, "{size}: {share}, {distinct}");
    }
}

#[test]
fn targets_of_the_stream_have_the_size_of_their_sub_expression() {
    let given = [("minimum_operators", 2), ("maximum_operators", 5)].map(|(name, value)| (name, Value::Integer(value)));
    let task = configured(&postfix::DECLARATION, &[&given[..], &[("skip", Value::Text("3".into()))]].concat()).unwrap();
    for size in 1..=13 {
        for seed in 0..100 {
            let instance = draw(&*task, size, seed);
            // Operands and what they consist of, on a stack.
            let mut stack = Vec::new();
            for (token, word) in (1..).zip(instance.question.split(' ')) {
                let operators = match word.parse::<u32>() {
                    Ok(_) => 0,
                    Err(_) => 1 + stack.pop().unwrap() + stack.pop().unwrap(),
                };
                stack.push(operators);
                let split = match (size, operators) {
                    (2 | 4 | 5, _) => Split::InRange,
                    (_, 6..) => Split::Beyond,
                    _ => Split::Embedded,
                };
                assert_eq!(task.token_size(size, &instance, token), TokenSize { size: operators, split });
            }
            assert_eq!(stack, [size]);
        }
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in [mano(), stream()] {
        let count = 8000;
        let held_out = (0..count).filter(|seed| draw(&*task, 7, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        let deviation = (count as f64 * share * (1.0 - share)).sqrt();
        assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |task: &dyn Task, size| {
        let mut stream = haltbench_sdk::random::Stream::new(0, "test", &[]);
        task.sample(size, &mut stream).unwrap_err().to_string()
    };
    assert_eq!(refuse(&*mano(), 0), "size of mano: expected L from 1 to 32, found 0");
    assert_eq!(refuse(&*stream(), 17), "size of mano-stream: expected L from 1 to 16, found 17");
}

#[test]
fn the_largest_size_of_all_can_be_drawn() {
    let task = configured(&postfix::DECLARATION, &[("largest_operators", Value::Integer(1024))]).unwrap();
    let instance = draw(&*task, 1024, 0);
    assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
}
