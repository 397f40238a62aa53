//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, fixed, forms, hops};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "a")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("", 1, "expected a number of hops from 0 to 8, found the end"),
        ("9 a b", 1, "expected a number of hops from 0 to 8, found `9`"),
        ("a b", 1, "expected a number of hops from 0 to 8, found `a`"),
        ("01 a b", 1, "expected a number of hops from 0 to 8, found `01`"),
        ("+1 a b", 1, "expected a number of hops from 0 to 8, found `+1`"),
        ("99999999999999999999999 a", 1, "expected a number of hops from 0 to 8, found `99999999999999999999999`"),
        ("3", 2, "expected a letter from a to d, found the end"),
        ("3 a e", 3, "expected a letter from a to d, found `e`"),
        ("3 a bc", 3, "expected a letter from a to d, found `bc`"),
        ("3 a B", 3, "expected a letter from a to d, found `B`"),
        ("3 a b b", 4, "expected a letter other than the one before, found `b`"),
        ("3 a <pad> b", 3, "expected a letter from a to d, found `<pad>`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*hops(), question), (position, message.to_owned()), "{question}");
    }
    assert_eq!(breaks(&*fixed(2, "every"), ""), (1, "expected a letter from a to d, found the end".to_owned()));
    assert_eq!(breaks(&*fixed(2, "last"), "3 a").0, 1);
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["a", "b", "c", "d", "0", "2", "8", "9", "e"];
    let mut draws = Stream::new(3, "malformed", &[]);
    for task in forms() {
        let mut parsed = 0;
        for _ in 0..20_000 {
            let length = draws.below(7);
            let mut question: Vec<&str> = Vec::new();
            for place in 0..length {
                // Mostly letters, after what is mostly a number.
                let known = match (place, draws.below(8)) {
                    (_, 0) => &words[..],
                    (0, 1..5) => &words[4..7],
                    _ => &words[..4],
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

/// A letter that is rare among two that alternate makes long hops, to one and the same place.
#[test]
fn long_strings_are_answered() {
    let task = fixed(1024, "every");
    let question = format!("c {}c d", "a b ".repeat(50_000));
    let answer = task.answer(&question).unwrap();
    assert!(task.check(&question, &answer).unwrap().valid);
    assert!(answer.ends_with("<none> <none>"));
}
