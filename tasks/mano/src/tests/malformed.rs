//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, configured, mano, stream};
use crate::prefix;

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver.0, break_of(task.check(question, "0")).0, "{question}");
    solver
}

#[test]
fn prefix_errors_name_the_token_and_what_was_expected() {
    let cases = [
        ("", 1, "expected 1 more operand, found the end"),
        ("+", 2, "expected 2 more operands, found the end"),
        ("+ 3", 3, "expected 1 more operand, found the end"),
        ("* + 1 2", 5, "expected 1 more operand, found the end"),
        ("* + 1", 4, "expected 2 more operands, found the end"),
        ("* + ", 3, "expected 3 more operands, found the end"),
        ("3 + 4", 2, "expected the end of the expression, found `+`"),
        ("+ 1 2 3 x", 4, "expected the end of the expression, found `3`"),
        ("+ 23 1", 2, "expected a number from 0 to 22, found `23`"),
        ("+ 1 -2", 3, "expected an operator out of `+` `-` `*` or a number from 0 to 22, found `-2`"),
        ("+ 1 07", 3, "expected an operator out of `+` `-` `*` or a number from 0 to 22, found `07`"),
        ("<bos> + 1 2", 1, "expected an operator out of `+` `-` `*` or a number from 0 to 22, found `<bos>`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*mano(), question), (position, message.to_owned()), "{question}");
    }
}

#[test]
fn postfix_errors_name_the_token_and_what_was_expected() {
    let cases = [
        ("", 1, "expected an operand, found the end"),
        ("7", 2, "expected an operand and an operator, found the end"),
        ("7 8", 3, "expected an operator for 2 operands, found the end"),
        ("1 2 + 3", 5, "expected an operator for 2 operands, found the end"),
        ("+", 1, "expected two operands before `+`, found 0"),
        ("1 2 + -", 4, "expected two operands before `-`, found 1"),
        ("1 2 / 3", 3, "expected an operator out of `+` `-` `*` or a number from 0 to 22, found `/`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*stream(), question), (position, message.to_owned()), "{question}");
    }
}

#[test]
fn the_checker_counts_in_words() {
    let cases = [
        ("+ 3", "the expression ends 1 operand early"),
        ("+", "the expression ends 2 operands early"),
        ("3 4", "the expression is complete before `4`"),
    ];
    for (question, message) in cases {
        assert_eq!(break_of(mano().check(question, "0")).1, message, "{question}");
    }
    let cases = [
        ("+", "`+` takes two operands, and 0 precede it"),
        ("1 +", "`+` takes two operands, and 1 precedes it"),
        ("1 2", "the expression ends with 2 operands, not 1"),
    ];
    for (question, message) in cases {
        assert_eq!(break_of(stream().check(question, "0")).1, message, "{question}");
    }
}

#[test]
fn operators_out_of_use_are_refused() {
    let task = configured(&prefix::DECLARATION, &[("operators", Value::Text("*+".into()))]).unwrap();
    let message = "expected an operator out of `+` `*`, found `-`";
    assert_eq!(breaks(&*task, "+ 1 - 2 3"), (3, message.to_owned()));
    assert_eq!(task.spec().vocabulary, mano().spec().vocabulary);
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["+", "-", "*", "0", "1", "22", "23", "?"];
    let mut draws = Stream::new(3, "malformed", &[]);
    let mut parsed = 0;
    for _ in 0..20_000 {
        let length = draws.below(8);
        // Invalid words are rare, so that most questions fail because of their structure.
        let count = if draws.below(10) == 0 { 8 } else { 6 };
        let question = (0..length).map(|_| words[draws.below(count) as usize]).collect::<Vec<_>>().join(" ");
        for task in [mano(), stream()] {
            match task.answer(&question) {
                Ok(answer) => {
                    assert!(task.check(&question, &answer).unwrap().valid, "{question}");
                    parsed += 1;
                }
                Err(_) => drop(breaks(&*task, &question)),
            }
        }
    }
    assert!(parsed > 100);
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let depth = 100_000;
    let left = format!("{}1{}", "+ ".repeat(depth), " 1".repeat(depth));
    let right = format!("{}1", "+ 1 ".repeat(depth));
    let sum = ((depth + 1) % 23).to_string();
    for question in [left, right] {
        assert_eq!(mano().answer(&question).unwrap(), sum);
        assert!(mano().check(&question, &sum).unwrap().valid);
        let mirrored = question.split(' ').rev().collect::<Vec<_>>().join(" ");
        let values = stream().answer(&mirrored).unwrap();
        assert!(values.ends_with(&format!(" {sum}")));
        assert!(stream().check(&mirrored, &values).unwrap().valid);
    }
}
