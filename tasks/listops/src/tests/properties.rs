//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{HELD_OUT_SHARE, Split, Task, TokenSize};

use super::{by_height, configured, draw, equal_lengths, height, listops, stream};
use crate::{single, stream as streamed};

fn tasks() -> Vec<Box<dyn Task>> {
    let mut tasks = vec![listops(), by_height(), stream()];
    tasks.extend(equal_lengths());
    for declaration in [single::DECLARATION, streamed::DECLARATION] {
        for (operators, arguments, probability) in [("SM", 2, 0.25), ("MED MIN", 10, 0.25), ("MAX MED", 3, 0.7)] {
            let given = [
                ("operators", Value::Text(operators.into())),
                ("maximum_arguments", Value::Integer(arguments)),
                ("operator_probability", Value::Real(probability)),
                ("maximum_length", Value::Integer(120)),
            ];
            let by_height = [&given[..], &[height()]].concat();
            let given = if declaration.name == "listops" { &by_height[..] } else { &given };
            tasks.push(configured(&declaration, given).unwrap());
        }
    }
    tasks
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..60 {
            for size in 3..=8 {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("listops", task.spec()).unwrap();
            }
        }
    }
}

/// The setting of Long Range Arena.
#[test]
fn wide_and_long_expressions_can_be_drawn() {
    let number = |name, value| (name, Value::Integer(value));
    let given = [
        number("maximum_arguments", 10),
        number("minimum_length", 500),
        number("maximum_length", 2000),
        number("minimum_depth", 3),
        number("maximum_depth", 9),
        number("largest_depth", 9),
        ("operator_probability", Value::Real(0.25)),
        ("size_law", Value::Text("sampler".into())),
        height(),
    ];
    let task = configured(&single::DECLARATION, &given).unwrap();
    let mut sizes = Stream::new(0, "test", &[]);
    for seed in 0..20 {
        let instance = draw(&*task, task.training_size(&mut sizes), seed);
        assert!((500..=2000).contains(&instance.question.split(' ').count()));
        assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
    }
}

#[test]
fn every_other_value_is_wrong() {
    for task in [listops(), stream()] {
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

/// A long chain of minima and maxima hardly ever decides the value.
#[test]
fn a_depth_that_hardly_occurs_is_refused() {
    let given = [
        ("operators", Value::Text("MIN MAX".into())),
        ("maximum_arguments", Value::Integer(10)),
        ("largest_depth", Value::Integer(20)),
        ("minimum_length", Value::Integer(100)),
        ("maximum_length", Value::Integer(100)),
    ];
    let task = configured(&single::DECLARATION, &given).unwrap();
    let refused = task.sample(20, &mut Stream::new(0, "test", &[])).map(|instance| instance.question);
    let expected = "a dependency depth that one in 20000 expressions of these parameters has";
    assert_eq!(refused.unwrap_err().to_string(), format!("size of listops: expected {expected}, found 20"));
}

/// No operator depends on the order of its arguments.
#[test]
fn reversed_arguments_have_the_same_value() {
    for seed in 0..200 {
        let instance = draw(&*listops(), 4, seed);
        // Words in reverse with the brackets turned round: `[MIN 3 4 ]` becomes `[MIN 4 3 ]`.
        let mut open = Vec::new();
        let mut words: Vec<&str> = instance.question.split(' ').collect();
        for place in 0..words.len() {
            if words[place].starts_with('[') {
                open.push(place);
            } else if words[place] == "]" {
                words.swap(place, open.pop().unwrap());
            }
        }
        words.reverse();
        let reversed = words.join(" ");
        assert_eq!(listops().answer(&reversed).unwrap(), instance.answer, "{reversed}");
        assert!(listops().check(&reversed, &instance.answer).unwrap().valid, "{reversed}");
    }
}

#[test]
fn a_key_names_one_instance() {
    for task in [listops(), stream()] {
        let text = |seed| draw(&*task, 5, seed).question;
        assert_eq!(text(5), text(5));
        assert_ne!(text(5), text(6));
    }
    // Recorded, because later versions must generate the same instances.
    assert_eq!(draw(&*by_height(), 2, 0).question, "[SM 9 5 [MIN 1 7 0 ] 9 7 ]");
    assert_eq!(draw(&*stream(), 2, 0).question, draw(&*by_height(), 2, 0).question);
    assert_eq!(
        draw(&*listops(), 2, 0).question,
        "[SM [MAX [MIN [MIN 0 7 ] [MED 0 6 0 0 1 ] 6 0 ] [SM 4 1 1 4 ] 1 6 3 ] 9 [SM 1 4 ] 2 ]"
    );
}

#[test]
fn the_order_of_the_operators_is_of_no_account() {
    let task = |text: &str| configured(&single::DECLARATION, &[("operators", Value::Text(text.into()))]).unwrap();
    assert_eq!(draw(&*task("SM MIN"), 4, 2).question, draw(&*task("MIN  SM"), 4, 2).question);
}

/// The tokens up to the first closing bracket determine the problem, and the problem determines them.
#[test]
fn a_problem_of_the_stream_is_what_its_first_answer_is_told_from() {
    let task = configured(&streamed::DECLARATION, &[("operators", Value::Text("MIN".into()))]).unwrap();
    let (mut of_tokens, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
    for size in 1..=5 {
        for seed in 0..1000 {
            let instance = draw(&*task, size, seed);
            let first = instance.loss_mask.iter().position(|loss| *loss).unwrap();
            let (tokens, problem) = (instance.tokens[..=first].to_vec(), instance.problem().to_owned());
            assert_eq!(of_tokens.entry(tokens.clone()).or_insert(problem.clone()), &problem);
            assert_eq!(of_problem.entry(problem).or_insert(tokens.clone()), &tokens);
            assert_eq!(instance.graded().count(), instance.question.matches(']').count());
        }
    }
}

/// The smallest setting has 100 lists of two digits: both training and evaluation need some.
#[test]
fn every_size_of_the_smallest_setting_has_problems_to_hold_out() {
    let given = [("operators", Value::Text("MAX".into())), ("maximum_arguments", Value::Integer(2))];
    let task = configured(&streamed::DECLARATION, &given).unwrap();
    for (size, least) in [(1, 6), (2, 100), (3, 800), (5, 1000)] {
        let drawn: Vec<_> = (0..20_000).map(|seed| draw(&*task, size, seed)).collect();
        let held_out: Vec<&str> =
            drawn.iter().filter(|instance| instance.is_held_out()).map(|instance| instance.canonical()).collect();
        let share = held_out.len() as f64 / drawn.len() as f64;
        let distinct = held_out.into_iter().collect::<BTreeSet<_>>().len();
        assert!((0.08..0.19).contains(&share) && distinct >= least, "{size}: {share}, {distinct}");
    }
}

#[test]
fn targets_of_the_stream_have_the_size_of_their_sub_expression() {
    let given = [("minimum_depth", 2), ("maximum_depth", 4)].map(|(name, value)| (name, Value::Integer(value)));
    let task =
        configured(&streamed::DECLARATION, &[&given[..], &[("skip", Value::Text("3".into()))]].concat()).unwrap();
    for size in 1..=8 {
        for seed in 0..100 {
            let instance = draw(&*task, size, seed);
            // Heights of the lists that are open, so far.
            let mut open: Vec<u32> = Vec::new();
            for (token, word) in (1..).zip(instance.question.split(' ')) {
                let mut height = 0;
                if word.starts_with('[') {
                    open.push(1);
                } else if word == "]" {
                    height = open.pop().unwrap();
                    if let Some(outer) = open.last_mut() {
                        *outer = (*outer).max(height + 1);
                    }
                }
                let split = match (size, height) {
                    (2 | 4, _) => Split::InRange,
                    (_, 5..) => Split::Beyond,
                    _ => Split::Embedded,
                };
                assert_eq!(task.token_size(size, &instance, token), TokenSize { size: height, split });
            }
        }
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in [listops(), stream()] {
        let count = 8000;
        let held_out = (0..count).filter(|seed| draw(&*task, 5, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        let deviation = (count as f64 * share * (1.0 - share)).sqrt();
        assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    let refuse = |task: &dyn Task, size| task.sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
    assert_eq!(refuse(&*listops(), 0), "size of listops: expected D from 1 to 8, found 0");
    assert_eq!(refuse(&*stream(), 9), "size of listops-stream: expected H from 1 to 8, found 9");
    let [single, _] = equal_lengths();
    assert_eq!(refuse(&*single, 2), "size of listops: expected H from 3 to 8, found 2");
}
