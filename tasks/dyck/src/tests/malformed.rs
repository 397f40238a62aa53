//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, configured, dyck, equally_long, forms, of_kinds};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "0")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("", 1, "expected `(`, found the end"),
        (")", 1, "expected `(`, found `)`"),
        ("( ) )", 3, "expected `(`, found `)`"),
        ("( ( )", 4, "expected 1 more of `)`, found the end"),
        ("( (", 3, "expected 2 more of `)`, found the end"),
        ("( x )", 2, "expected `(` or `)`, found `x`"),
        ("( () )", 2, "expected `(` or `)`, found `()`"),
        ("( . )", 2, "expected `(` or `)`, found `.`"),
        ("(1 )", 1, "expected `(`, found `(1`"),
        ("( ( ( ( ( ( ( ( (", 9, "expected `)` at the largest depth, 8, found `(`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*dyck(), question), (position, message.to_owned()), "{question}");
    }
    let cases = [
        ("", 1, "expected an opening bracket from `(1` to `(3`, found the end"),
        ("( )", 1, "expected an opening bracket from `(1` to `(3`, found `(`"),
        ("(1 )1", 2, "expected an opening bracket from `(1` to `(3` or `)`, found `)1`"),
        ("(4 )", 1, "expected an opening bracket from `(1` to `(3`, found `(4`"),
        ("(0 )", 1, "expected an opening bracket from `(1` to `(3`, found `(0`"),
        ("(01 )", 1, "expected an opening bracket from `(1` to `(3`, found `(01`"),
        ("(+1 )", 1, "expected an opening bracket from `(1` to `(3`, found `(+1`"),
        ("(1 (2 (3 )", 3, "expected `)` at the largest depth, 2, found `(3`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*of_kinds(3, 2), question), (position, message.to_owned()), "{question}");
    }
    assert_eq!(breaks(&*equally_long(1), ". ."), (3, "expected `(`, found the end".to_owned()));
    assert_eq!(breaks(&*equally_long(1), ". ( . )  . ) "), (6, "expected `(`, found `)`".to_owned()));
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["(", ")", "(1", ")", "(2", ")", ".", ")1", "?"];
    let mut draws = Stream::new(3, "malformed", &[]);
    for task in forms() {
        let is_deep = task.spec().vocabulary.iter().any(|word| word == "0");
        let mut parsed = 0;
        for _ in 0..20_000 {
            let length = draws.below(9);
            let mut question: Vec<&str> = Vec::new();
            for _ in 0..length {
                // Mostly brackets that the task knows.
                let known = if draws.below(12) == 0 {
                    &words[..]
                } else if is_deep {
                    &words[..2]
                } else {
                    &words[2..6]
                };
                question.push(*draws.choose(known));
            }
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
fn long_words_are_answered() {
    let deep = configured(&[("maximum_depth", Value::Integer(128)), ("minimum_pairs", Value::Integer(20))]).unwrap();
    let nested = format!("{}{}", "( ".repeat(128), ") ".repeat(128));
    let question = nested.repeat(500);
    let answer = deep.answer(&question).unwrap();
    assert!(deep.check(&question, &answer).unwrap().valid);
    let task = of_kinds(2, 3);
    let question = "(1 (2 ) (1 ) ) ".repeat(30_000);
    let answer = task.answer(&question).unwrap();
    assert_eq!(answer, [")2 )1 )1"; 30_000].join(" "));
    assert!(task.check(&question, &answer).unwrap().valid);
}
