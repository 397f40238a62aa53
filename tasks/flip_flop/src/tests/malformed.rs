//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, flip_flop};

/// Position and message of the error, the same from the solver and the checker.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "0")), "{question}");
    solver
}

#[test]
fn errors_name_the_token_and_what_was_expected() {
    let cases = [
        ("", 1, "expected a read, `r`, found the end"),
        ("r", 1, "expected `w`, found `r`"),
        ("i 0 r", 1, "expected `w`, found `i`"),
        ("<bos> w 0 r", 1, "expected `w`, found `<bos>`"),
        ("w", 2, "expected the bit of `w`, 0 or 1, found the end"),
        ("w 0 i", 4, "expected the bit of `i`, 0 or 1, found the end"),
        ("w 2 r", 2, "expected a bit, 0 or 1, found `2`"),
        ("w r", 2, "expected a bit, 0 or 1, found `r`"),
        ("w 0 i 1", 5, "expected a read, `r`, found the end"),
        ("w 0 r 0", 4, "expected `w`, `r` or `i`, found `0`"),
        ("w 0 R", 3, "expected `w`, `r` or `i`, found `R`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*flip_flop(), question), (position, message.to_owned()), "{question}");
    }
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let words = ["w 0", "w 1", "i 0", "i 1", "r", "r", "w", "i", "0", "?"];
    let task = flip_flop();
    let mut draws = Stream::new(3, "malformed", &[]);
    let mut parsed = 0;
    for _ in 0..20_000 {
        let length = draws.below(7);
        // Invalid words are rare, so that many questions parse.
        let count = if draws.below(4) == 0 { 10 } else { 6 };
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

#[test]
fn long_programs_take_linear_time() {
    let count = 300_000;
    let question = format!("w 1{}{}", " i 0".repeat(count), " r".repeat(count));
    let answer = flip_flop().answer(&question).unwrap();
    assert_eq!(answer.len(), 2 * count - 1);
    assert!(answer.bytes().all(|byte| byte == b'1' || byte == b' '));
    assert!(flip_flop().check(&question, &answer).unwrap().valid);
}
