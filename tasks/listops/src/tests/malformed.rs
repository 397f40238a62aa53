//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, configured, listops, stream};
use crate::single;

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver.0, break_of(task.check(question, "0")).0, "{question}");
    solver
}

const OPERATORS: &str = "an operator out of `[MIN` `[MAX` `[MED` `[SM`";

#[test]
fn errors_name_the_token_and_what_was_expected() {
    let cases = [
        ("", 1, format!("expected {OPERATORS} or a digit, found the end")),
        ("]", 1, format!("expected {OPERATORS} or a digit, found `]`")),
        ("[MIN", 2, "expected `]` for 1 open bracket, found the end".to_owned()),
        ("[MIN 3 [SM 4", 5, "expected `]` for 2 open brackets, found the end".to_owned()),
        ("[MIN ]", 2, "expected an argument of `[MIN`, found `]`".to_owned()),
        ("[MIN 3 [SM ] ]", 4, "expected an argument of `[SM`, found `]`".to_owned()),
        ("[MIN 3 ] ]", 4, "expected the end of the expression, found `]`".to_owned()),
        ("[MIN 3 ] 4", 4, "expected the end of the expression, found `4`".to_owned()),
        ("3 4", 2, "expected the end of the expression, found `4`".to_owned()),
        ("[MIN 3 10 ]", 3, format!("expected {OPERATORS}, a digit or `]`, found `10`")),
        ("[min 3 1 ]", 1, format!("expected {OPERATORS}, a digit or `]`, found `[min`")),
        ("<bos> 3", 1, format!("expected {OPERATORS}, a digit or `]`, found `<bos>`")),
    ];
    for (question, position, message) in cases {
        for task in [listops(), stream()] {
            assert_eq!(breaks(&*task, question), (position, message.clone()), "{question}");
        }
    }
    assert_eq!(breaks(&*stream(), "7"), (1, format!("expected {OPERATORS}, found `7`")));
}

#[test]
fn the_checker_counts_in_words() {
    let cases = [
        ("", "the expression is empty"),
        ("[SM 3", "the expression ends before 1 bracket closes"),
        ("[SM 3 [MIN", "the expression ends before 2 brackets close"),
        ("]", "`]` closes no bracket"),
        ("[SM ]", "`]` closes an empty list"),
        ("3 4", "the expression is complete before `4`"),
    ];
    for (question, message) in cases {
        assert_eq!(break_of(listops().check(question, "0")).1, message, "{question}");
    }
    assert_eq!(break_of(stream().check("3", "3")).1, "the expression has no operator");
}

#[test]
fn operators_out_of_use_are_refused() {
    let task = configured(&single::DECLARATION, &[("operators", Value::Text("SM MIN".into()))]).unwrap();
    let message = "expected an operator out of `[MIN` `[SM`, a digit or `]`, found `[MAX`";
    assert_eq!(breaks(&*task, "[SM 1 [MAX 2 3 ] ]"), (3, message.to_owned()));
    assert_eq!(task.spec().vocabulary, listops().spec().vocabulary);
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["[MIN", "[SM", "[MED", "]", "]", "0", "9", "?"];
    let tasks = [listops(), stream()];
    let mut draws = Stream::new(3, "malformed", &[]);
    let mut parsed = 0;
    for _ in 0..40_000 {
        let length = draws.below(9);
        // Invalid words are rare, so that most questions fail because of their structure.
        let count = if draws.below(10) == 0 { 8 } else { 7 };
        let question = (0..length).map(|_| words[draws.below(count) as usize]).collect::<Vec<_>>().join(" ");
        for task in &tasks {
            match task.answer(&question) {
                Ok(answer) => {
                    assert!(task.check(&question, &answer).unwrap().valid, "{question}");
                    parsed += 1;
                }
                Err(_) => drop(breaks(&**task, &question)),
            }
        }
    }
    assert!(parsed > 1000, "{parsed}");
}

#[test]
fn deep_and_long_lists_do_not_exhaust_the_stack() {
    let depth = 100_000;
    let deep = format!("{}7{}", "[MAX 1 ".repeat(depth), " ]".repeat(depth));
    let long = format!("[SM{} ]", " 3".repeat(depth + 1));
    for (question, value) in [(deep, "7"), (long, "3")] {
        assert_eq!(listops().answer(&question).unwrap(), value);
        assert!(listops().check(&question, value).unwrap().valid);
        let values = stream().answer(&question).unwrap();
        assert!(values.ends_with(value) && stream().check(&question, &values).unwrap().valid);
    }
}
