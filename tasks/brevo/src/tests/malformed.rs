//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{break_of, canonical, configured, spelled, text};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "1")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("", 1, "expected an edge such as `3>1`, found the end"),
        ("? 4", 1, "expected an edge such as `3>1`, found `?`"),
        ("3>1", 2, "expected an edge such as `3>1` or `?`, found the end"),
        ("3>1 4", 2, "expected an edge such as `3>1` or `?`, found `4`"),
        ("3>1 ?", 3, "expected the node asked about, found the end"),
        ("3>1 ? 3>1", 3, "expected a node from 1 to 60, found `3>1`"),
        ("3>1 ? 4", 3, "expected a node of the graph, found `4`"),
        ("3>1 ? 1 2", 4, "expected the end, found `2`"),
        ("3>1 61>1 ? 1", 2, "expected a node from 1 to 60, found `61`"),
        ("3>1 0>1 ? 1", 2, "expected a node from 1 to 60, found `0`"),
        ("3>1 2>01 ? 1", 2, "expected a node from 1 to 60, found `01`"),
        ("3>1 2> ? 1", 2, "expected a node from 1 to 60, found ``"),
        ("3>1>2 ? 1", 1, "expected a node from 1 to 60, found `1>2`"),
        ("3>1 2>2 ? 1", 2, "the edge `2>2` makes a node depend on itself"),
        ("3>1 2>1 3>1 ? 1", 3, "the edge `3>1` stands there twice"),
        ("3>1 1>2 2>3 3>4 ? 1", 3, "the edge `2>3` closes a cycle"),
        ("1>2 1>3 1>4 1>5 1>6 ? 2", 5, "the edge `1>6` is one more than the 4 that may leave a node"),
        ("2>1 3>1 4>1 5>1 6>1 ? 1", 5, "the edge `6>1` is one more than the 4 that may lead to a node"),
        ("<bos> 3>1 ? 1", 1, "expected a node from 1 to 60, found `<bos`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(breaks(&*canonical(), question), (position, message.to_owned()), "{question}");
    }
    let names = "2 to 4 numbers from 1 to 4 with points between them";
    for word in ["3", "3.5", "1.2.3.4.1", "1..2", ".1", "1.", "1.0"] {
        let found = breaks(&*spelled("any"), &format!("1.1>2.2 {word}>1.2 ? 1.1"));
        assert_eq!(found, (2, format!("expected a node of {names}, found `{word}`")));
    }
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let tasks = [canonical(), configured(&[("order", text("any"))]).unwrap()];
    let mut draws = Stream::new(3, "malformed", &[]);
    let mut parsed = 0;
    for _ in 0..20_000 {
        let word = |draws: &mut Stream| match draws.below(40) {
            0 => "?".to_owned(),
            1 => "7".to_owned(),
            2 => "61>1".to_owned(),
            _ => format!("{}>{}", 1 + draws.below(9), 1 + draws.below(9)),
        };
        let edges: Vec<String> = (0..1 + draws.below(6)).map(|_| word(&mut draws)).collect();
        let question = format!("{} ? {}", edges.join(" "), 1 + draws.below(9));
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
fn a_long_chain_does_not_exhaust_the_stack() {
    let settings = [("vocabulary", Value::Integer(4096))];
    let task = configured(&settings).unwrap();
    // From the end, so that no edge leads to an edge that is already there.
    let edges: Vec<String> = (1..1024).rev().map(|node| format!("{node}>{}", node + 1)).collect();
    let answer = (1..1024).map(|node| node.to_string()).collect::<Vec<_>>().join(" ");
    let question = format!("{} ? 1024", edges.join(" "));
    assert_eq!(task.answer(&question).unwrap(), answer);
    assert!(task.check(&question, &answer).unwrap().valid);
}
