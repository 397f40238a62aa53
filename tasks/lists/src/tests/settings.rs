//! Grids, questions and parameters that all tasks of the crate share.

use haltbench_sdk::conformance::specimen;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Task, TaskDeclaration};

use super::{break_of, configured, draw, number, text};
use crate::{copy, unique_set};

const TASKS: [TaskDeclaration; 2] = [copy::DECLARATION, unique_set::DECLARATION];

#[test]
fn grids_follow_the_parameters() {
    for declaration in TASKS {
        let knob = configured(&declaration, &[]).unwrap().spec().size.clone().unwrap();
        assert_eq!((knob.minimum, knob.maximum, knob.training), (1, 32, (4..=16).collect::<Vec<_>>()));
        assert_eq!((knob.between, knob.beyond), (vec![], vec![17, 18, 20, 24, 32]));
        let given = [text("skip", "10, 5"), number("largest_length", 18)];
        let knob = configured(&declaration, &given).unwrap().spec().size.clone().unwrap();
        assert_eq!((knob.between, knob.beyond), (vec![5, 10], vec![17, 18]));
    }
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    for declaration in TASKS {
        let refuse = |given: &[(&str, Value)]| specimen::configured(&declaration, given).err().unwrap().to_string();
        assert_eq!(
            refuse(&[number("window", 63)]),
            format!(
                "parameter `window` of {}: expected 0 or at least 64, twice the largest length, found 63",
                declaration.name
            )
        );
        assert!(refuse(&[number("minimum_length", 17)]).contains("at least minimum_length, which is 17, found 16"));
        assert!(refuse(&[number("largest_length", 15)]).contains("at least maximum_length, which is 16, found 15"));
        assert!(refuse(&[number("alphabet", 1)]).contains("from 2 to 1024"));
        for word in ["4", "16", "5,,6", "x", "5,5"] {
            assert!(refuse(&[text("skip", word)]).contains("distinct sizes strictly between 4 and 16"), "{word}");
        }
    }
}

#[test]
fn sizes_outside_the_knob_are_refused_with_the_range() {
    for declaration in TASKS {
        let task = configured(&declaration, &[]).unwrap();
        for size in [0, 33] {
            let message = task.sample(size, &mut Stream::new(0, "test", &[])).unwrap_err().to_string();
            assert_eq!(message, format!("size of {}: expected N from 1 to 32, found {size}", declaration.name));
        }
    }
}

/// Every sequence is as long as every other, and only what comes after the bar counts.
#[test]
fn a_window_makes_all_sequences_equally_long() {
    for declaration in TASKS {
        let task = configured(&declaration, &[number("window", 70)]).unwrap();
        for size in 1..=32 {
            for seed in 0..40 {
                let instance = draw(&*task, size, seed);
                assert_eq!(instance.tokens.len(), 70 + 4);
                let (filler, list) = instance.question.split_once("| ").unwrap();
                assert_eq!(list.split(' ').count(), size as usize);
                assert_eq!(instance.problem(), list);
                assert_eq!(instance.canonical(), format!("{list} | {}", filler.trim_end()));
                let text = instance.text(&task.spec().vocabulary);
                assert_eq!(text, format!("<bos> {} <ans> {} <eos>", instance.question, instance.answer));
                for question in [list, &format!("| {list}"), &format!("{list} | {list}"), &instance.question] {
                    assert_eq!(task.answer(question).unwrap(), instance.answer);
                    assert!(task.check(question, &instance.answer).unwrap().valid);
                }
            }
        }
        // The fullest window has no filler.
        let full = configured(&declaration, &[number("window", 64), number("alphabet", 1024)]).unwrap();
        let filled = (0..400).map(|seed| draw(&*full, 32, seed)).find(|instance| instance.question.starts_with('|'));
        assert_eq!(filled.unwrap().tokens.len(), 68);
    }
}

/// Position and message of the error, the same from the solver and the checker.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "1")), "{question}");
    solver
}

#[test]
fn questions_that_do_not_parse_name_the_token_and_what_was_expected() {
    let cases = [
        ("", 1, "expected an element from 1 to 32, found the end"),
        ("|", 2, "expected an element from 1 to 32, found the end"),
        ("3 4 |", 4, "expected an element from 1 to 32, found the end"),
        ("3 | 4 | 5", 4, "expected an element from 1 to 32, found `|`"),
        ("3 33", 2, "expected an element from 1 to 32 or `|`, found `33`"),
        ("3 0", 2, "expected an element from 1 to 32 or `|`, found `0`"),
        ("3 01", 2, "expected an element from 1 to 32 or `|`, found `01`"),
        ("+3", 1, "expected an element from 1 to 32 or `|`, found `+3`"),
        ("-3", 1, "expected an element from 1 to 32 or `|`, found `-3`"),
        ("| x", 2, "expected an element from 1 to 32, found `x`"),
        ("<bos> 3", 1, "expected an element from 1 to 32 or `|`, found `<bos>`"),
        ("99999999999999999999", 1, "expected an element from 1 to 32 or `|`, found `99999999999999999999`"),
    ];
    for declaration in TASKS {
        let task = configured(&declaration, &[]).unwrap();
        for (question, position, message) in cases {
            assert_eq!(breaks(&*task, question), (position, message.to_owned()), "{question}");
        }
    }
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["1", "2", "3", "32", "|", "33", "?", "<ans>"];
    for declaration in TASKS {
        let task = configured(&declaration, &[]).unwrap();
        let mut draws = Stream::new(3, "malformed", &[]);
        let mut parsed = 0;
        for _ in 0..10_000 {
            let length = draws.below(7);
            // Invalid words are rare, so that many questions parse.
            let count = if draws.below(4) == 0 { 8 } else { 5 };
            let question = (0..length).map(|_| words[draws.below(count) as usize]).collect::<Vec<_>>().join(" ");
            match task.answer(&question) {
                Ok(answer) => {
                    assert!(task.check(&question, &answer).unwrap().valid, "{question}");
                    parsed += 1;
                }
                Err(_) => drop(breaks(&*task, &question)),
            }
        }
        assert!(parsed > 1000, "{parsed}");
    }
}

#[test]
fn long_lists_can_be_answered() {
    let list = (0..300_000).map(|place: u32| (place % 37 * place % 31 + 1).to_string()).collect::<Vec<_>>().join(" ");
    for declaration in TASKS {
        let task = configured(&declaration, &[]).unwrap();
        let answer = task.answer(&list).unwrap();
        assert!(task.check(&list, &answer).unwrap().valid);
    }
}
