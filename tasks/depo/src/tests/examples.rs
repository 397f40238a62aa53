//! Worked examples of the released task, and the layout of sequences.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Columns;

use super::{configured, depo, draw, released};

/// D1: eight nodes, with names of one or two tokens out of 50.
const D1: &str = "39.49>37 17>39.49 31.42>45 2.25>31.42 45>17 37>14.7 32>2.25 14.7>32";

/// D2: five nodes, with names of five to seven tokens out of three.
const D2: [(&str, &str); 5] =
    [("a", "3.3.1.2.3"), ("b", "3.3.1.3.1.2"), ("c", "2.3.1.3.1.1.3"), ("d", "2.2.3.1.1.3.1"), ("e", "3.1.1.3.2.3")];

#[test]
fn answers_known_questions() {
    let task = released(50, [1, 2], 375, 8);
    let known = [
        ("39.49", 2, "14.7"),
        ("2.25", 2, "45"),
        ("37", 8, "37"),
        ("32", 4, "17"),
        ("45", 1, "17"),
        ("14.7", 8, "14.7"),
        ("17", 1, "39.49"),
        ("31.42", 2, "17"),
    ];
    for (start, hops, answer) in known {
        let question = format!("{D1} ? {start} {hops}");
        assert_eq!(task.answer(&question).unwrap(), answer, "{question}");
        assert!(task.check(&question, answer).unwrap().valid, "{question}");
    }
    let task = released(3, [5, 7], 125, 16);
    let spelled = |text: &str| {
        let name = |letter: char| D2.iter().find(|(short, _)| short.starts_with(letter)).map(|(_, name)| *name);
        text.chars().map(|letter| name(letter).map_or(letter.to_string(), str::to_owned)).collect::<String>()
    };
    let question = spelled("a>b b>c d>a e>d c>e ? b 1 ? a 2 ? c 8 ? e 2 ? d 4");
    let answer = spelled("c c a a e");
    assert_eq!(task.answer(&question).unwrap(), answer);
    assert!(task.check(&question, &answer).unwrap().valid);
    // On four nodes, 16 hops equal 0 hops, 9 equal 1, 6 equal 2.
    let task = configured(&[("maximum_hops", Value::Integer(16))]).unwrap();
    let question = "4>9 9>2 2>7 7>4 ? 4 16 ? 4 9 ? 4 1 ? 4 6 ? 4 2";
    assert_eq!(task.answer(question).unwrap(), "4 9 9 2 2");
    assert!(task.check(question, "4 9 9 2 2").unwrap().valid);
}

#[test]
fn huge_numbers_of_hops_are_solved() {
    let task = configured(&[("hop_encoding", super::text("digits"))]).unwrap();
    let question = "4>7 7>2 2>4 ? 4 18446744073709551615";
    // 2^64 - 1 is a multiple of 3.
    assert_eq!(task.answer(question).unwrap(), "4");
    assert!(task.check(question, "4").unwrap().valid);
}

#[test]
fn wrong_answers_are_told_why() {
    let question = "4>7 7>2 2>4 ? 4 2 ? 7 7";
    assert_eq!(depo().answer(question).unwrap(), "2 2");
    let reason = |answer: &str| depo().check(question, answer).unwrap().reason;
    assert_eq!(reason("2 2"), "");
    assert_eq!(reason("2"), "answer 2: expected a node from 1 to 60, found the end");
    assert_eq!(reason("7 2"), "answer 1: `7` is 1 hops from the start, not 2 of 3");
    assert_eq!(reason("2 5"), "answer 2: expected a node of the cycle, found `5`");
    assert_eq!(reason("2 2 2"), "expected 2 nodes and no more, found `2`");
    assert_eq!(reason("2 x"), "answer 2: expected a node from 1 to 60, found `x`");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    for (encoding, longest) in [("token", 1), ("unary", 1), ("digits", 1), ("token", 3), ("digits", 3)] {
        let given = [
            ("hop_encoding", super::text(encoding)),
            ("maximum_hops", Value::Integer(12)),
            ("longest_name", Value::Integer(longest)),
        ];
        let task = configured(&given).unwrap();
        let instance = draw(&*task, 6, 1);
        let spaced = |text: &str| text.replace('.', ". ");
        let mut parts = instance.question.split(" ? ");
        let mut expected = format!("<bos> {}", spaced(&parts.next().unwrap().replace('>', " ")));
        let mut supervised = Vec::new();
        for (query, answer) in parts.zip(instance.answer.split(' ')) {
            let (start, hops) = query.split_once(' ').unwrap();
            let hops: usize = hops.parse().unwrap();
            let told = match encoding {
                "unary" => vec!["#"; hops].join(" "),
                "digits" => hops.to_string().chars().map(|digit| format!("#{digit}")).collect::<Vec<_>>().join(" "),
                _ => format!("#{hops}"),
            };
            expected += &format!(" {told} {} <ans>", spaced(start));
            let before = expected.split(' ').count();
            expected += &format!(" {}", spaced(answer));
            supervised.extend(before..expected.split(' ').count());
        }
        assert_eq!(instance.text(&task.spec().vocabulary), expected);
        let mask = instance.loss_mask.iter().enumerate().filter(|(_, loss)| **loss).map(|(token, _)| token);
        assert_eq!(mask.collect::<Vec<_>>(), supervised);
    }
    let words =
        |encoding| configured(&[("hop_encoding", super::text(encoding))]).unwrap().spec().vocabulary[..4].join(" ");
    assert_eq!(words("token"), "<bos> <ans> #1 #2");
    assert_eq!(words("unary"), "<bos> <ans> # 1");
    assert_eq!(words("digits"), "<bos> <ans> #0 #1");
}

/// Number of names that share the tokens before each token of `a`: five, three, two, two, one.
#[test]
fn the_released_example_shares_its_prefixes_as_known() {
    use crate::columns::{Layout, fill};
    use crate::cycle::{Cycle, Query};
    use haltbench_sdk::nodes::Names;
    let names = Names::new(3, 5, 7, 0);
    let nodes = ["a", "b", "c", "e", "d"];
    let number = |short: &str| names.read(D2.iter().find(|(name, _)| *name == short).unwrap().1).unwrap();
    let cycle = Cycle {
        nodes: nodes.iter().map(|short| number(short)).collect(),
        printed: vec![0, 1, 4, 3, 2],
        queries: vec![Query { start: 2, hops: 8 }],
    };
    let layout = Layout { length: 7, edges: 0, answers: vec![1] };
    let [mut complexities, mut features] = <[Columns; 2]>::default();
    fill(&cycle, &names, &layout, [&mut complexities, &mut features]);
    let column = |column| complexities.column(column).skip(1).take(5).collect::<Vec<_>>();
    assert_eq!(column(4), [5.0, 3.0, 2.0, 2.0, 1.0]);
    assert_eq!(column(0), [8.0, 8.0, 8.0, 8.0, 1.0]);
    assert_eq!(column(1), [3.0, 3.0, 3.0, 3.0, 1.0]);
    assert_eq!(column(2), [2.0, 2.0, 2.0, 2.0, 1.0]);
    assert_eq!(column(3), [2.0, 2.0, 2.0, 2.0, 1.0]);
    // The edges of c, e, d, a, b are at 5, 4, 3, 1, 2: of seven steps, c>e>d>a go back, then b>c>e>d: 1, 1, 2, 1, 3, 1,
    // 1.
    assert_eq!(features.row(1), [5.0, 0.0, 1.0, 8.0, 5.0, -1.0, 1.0, 3.0, 10.0 / 7.0, 5.0]);
}
