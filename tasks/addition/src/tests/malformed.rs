//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{addition, break_of, forms};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "0")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("", 1, "expected a digit from 0 to 9, found the end"),
        ("+ 1", 1, "expected a digit from 0 to 9, found `+`"),
        ("x + 1", 1, "expected a digit from 0 to 9, found `x`"),
        ("1 x + 1", 2, "expected a digit from 0 to 9 or `+`, found `x`"),
        ("12 + 34", 1, "expected a digit from 0 to 9, found `12`"),
        ("1 2", 3, "expected a digit from 0 to 9 or `+`, found the end"),
        ("1 2 +", 4, "expected a digit from 0 to 9, found the end"),
        ("1 + + 2", 3, "expected a digit from 0 to 9, found `+`"),
        ("1 + 2 + 3", 4, "expected a digit from 0 to 9, found `+`"),
        ("1 + 2 = 3", 4, "expected a digit from 0 to 9, found `=`"),
        ("1 2 + 3", 5, "expected 2 digits after `+`, as many as before it, found 1"),
        ("1 2 + 3 4 5", 6, "expected 2 digits after `+`, as many as before it, found 3"),
        ("1 -2 + 3 4", 2, "expected a digit from 0 to 9 or `+`, found `-2`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*addition("most", true), question), (position, message.to_owned()), "{question}");
    }
    let leading = "expected a most significant digit from 1 to 9, found `0`".to_owned();
    for (first, question, position) in [
        ("most", "0 1 + 2", 1),
        ("most", "1 0 + 0 2", 4),
        ("least", "1 0 + 2", 2),
        ("least", "0 1 + 2 3 0", 6),
        ("most", "0 0 + 1", 1),
    ] {
        assert_eq!(breaks(&*addition(first, false), question), (position, leading.clone()), "{question}");
    }
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["0", "1", "9", "0", "5", "+", "+", "?", "10"];
    let mut draws = Stream::new(3, "malformed", &[]);
    for task in forms() {
        let mut parsed = 0;
        for _ in 0..20_000 {
            let length = draws.below(7);
            // Words that are neither a digit nor `+` are rare, so that most questions fail because of their structure.
            let mut word = || {
                let known = if draws.below(9) == 0 { words.len() } else { 7 };
                *draws.choose(&words[..known])
            };
            let question: Vec<&str> = (0..length).map(|_| word()).collect();
            let question = question.join(" ");
            match task.answer(&question) {
                Ok(answer) => {
                    assert!(task.check(&question, &answer).unwrap().valid, "{question}");
                    parsed += 1;
                }
                Err(_) => drop(breaks(&*task, &question)),
            }
        }
        assert!(parsed > 500, "{parsed}");
    }
}

#[test]
fn long_numbers_are_added() {
    let nines = ["9"; 100_000].join(" ");
    let one = format!("{}1", "0 ".repeat(99_999));
    let task = addition("most", true);
    let question = format!("{nines} + {one}");
    let answer = task.answer(&question).unwrap();
    assert_eq!(answer, format!("1{}", " 0".repeat(100_000)));
    assert!(task.check(&question, &answer).unwrap().valid);
}
