//! Questions that do not parse.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, configured, depo, text};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "1")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("", 1, "expected an edge such as `4>7`, found the end"),
        ("? 4 1", 1, "expected an edge such as `4>7`, found `?`"),
        ("4>7", 2, "expected an edge such as `4>7`, found the end"),
        ("4>7 7>2 ? 4 1", 3, "expected an edge such as `4>7`, found `?`"),
        ("4>7 7>4", 3, "expected `?` after the complete cycle, found the end"),
        ("4>7 7>4 2>3 3>2 ? 4 1", 3, "expected `?` after the complete cycle, found `2>3`"),
        ("4>7 2>3 7>4 3>2 ? 4 1", 3, "the edge `7>4` closes a cycle that leaves out other nodes"),
        ("4>7 4>2 ? 4 1", 2, "the edge `4>2` is the second that leaves its node"),
        ("4>7 2>7 ? 4 1", 2, "the edge `2>7` is the second that leads to its node"),
        ("4>7 4>7 ? 4 1", 2, "the edge `4>7` is the second that leaves its node"),
        ("4>4 ? 4 1", 1, "the edge `4>4` leads back to where it starts"),
        ("4>61 ? 4 1", 1, "expected a node from 1 to 60, found `61`"),
        ("4>07 ? 4 1", 1, "expected a node from 1 to 60, found `07`"),
        ("4>7 7>4 ?", 4, "expected the node to start at, found the end"),
        ("4>7 7>4 ? 3 1", 4, "expected a node of the cycle, found `3`"),
        ("4>7 7>4 ? 4", 5, "expected a number of hops from 1 to 8, found the end"),
        ("4>7 7>4 ? 4 9", 5, "expected a number of hops from 1 to 8, found `9`"),
        ("4>7 7>4 ? 4 0", 5, "expected a number of hops from 1 to 8, found `0`"),
        ("4>7 7>4 ? 4 1 7", 6, "expected `?` or the end, found `7`"),
        ("4>7 7>4 ? 4 1 ?", 7, "expected the node to start at, found the end"),
        ("4>7 7>4 ? 4 1 ? 7", 8, "expected a number of hops from 1 to 8, found the end"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*depo(), question), (position, message.to_owned()), "{question}");
    }
    let digits = configured(&[("hop_encoding", text("digits"))]).unwrap();
    for word in ["0", "01", "-1", "+1", "1.0", "18446744073709551616"] {
        let message = format!("expected a number of hops, at least 1, found `{word}`");
        assert_eq!(breaks(&*digits, &format!("4>7 7>4 ? 4 {word}")), (5, message));
    }
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let task = depo();
    let mut draws = Stream::new(3, "malformed", &[]);
    let mut parsed = 0;
    for _ in 0..40_000 {
        let edges: Vec<String> =
            (0..2 + draws.below(2)).map(|_| format!("{}>{}", 1 + draws.below(3), 1 + draws.below(3))).collect();
        let question = format!("{} ? {} {}", edges.join(" "), 1 + draws.below(3), draws.below(9));
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
