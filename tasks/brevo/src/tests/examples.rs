//! Worked examples of the released task, and the layout of sequences.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Columns;

use super::{canonical, configured, draw, every, spelled, text};
use crate::columns::{COMPLEXITIES, FEATURES, Layout, fill};
use crate::graph::Graph;
use crate::order::{OrderRule, Search};
use crate::question;

const B1: &str = "3>1 3>4 5>4 3>2 5>3 3>6 ? 2";
const B2: &str = "3>1 10>1 3>4 10>4 8>9 4>9 10>7 2>8 7>6 8>4 1>6 2>7 5>6 10>5 7>9 2>1 8>5 7>5 2>3 ? 6";
const B3: &str = "14>9 3>9 5>15 15>20 10>1 10>8 5>3 2>10 11>6 14>10 2>9 13>4 3>17 5>6 3>14 4>8 15>7 5>1 3>6 10>15 \
                  13>15 17>6 17>4 11>9 ? 8";

/// Columns at the nodes of `answer`, for the released order.
fn columns(question: &str, answer: &str, wanted: &[(&str, &str)]) {
    let names = Names::new(20, 1, 1, 0);
    let read = question::read(question, &names).unwrap();
    let nodes: std::collections::BTreeSet<_> = read.edges.iter().flatten().map(|node| node.word).collect();
    let mut nodes: Vec<u32> = nodes.into_iter().map(|word| word.parse().unwrap()).collect();
    nodes.sort_unstable();
    let number = |word: &str| nodes.iter().position(|node| node.to_string() == word).unwrap() as u16;
    let edges = read.edges.iter().map(|[from, to]| [number(from.word), number(to.word)]).collect();
    let list = nodes.iter().map(|node| names.read(&node.to_string()).unwrap());
    let graph = Graph::new(list, edges, number(read.query.word));
    let answer: Vec<u16> = answer.split(' ').map(number).collect();
    let layout = Layout { answer: &answer, length: answer.len() + 1, start: 0, paired: None };
    let [mut complexities, mut features] = <[Columns; 2]>::default();
    fill(&graph, &names, &Search::new(&graph, OrderRule::Any), &layout, [&mut complexities, &mut features]);
    let declared = COMPLEXITIES.iter().map(|column| column.name).chain(FEATURES.iter().map(|column| column.name));
    let all: Vec<_> = declared.zip(every(&complexities).chain(every(&features))).collect();
    for (name, expected) in wanted {
        let column = &all.iter().find(|(found, _)| found == name).unwrap().1;
        let printed = |value: &f32| if value.is_nan() { "-".to_owned() } else { value.to_string() };
        let found: Vec<String> = column[..answer.len()].iter().map(printed).collect();
        assert_eq!(found.join(" "), *expected, "{name} of {question}");
    }
}

#[test]
fn the_released_examples_have_the_known_columns() {
    columns(
        B1,
        "5 3 2",
        &[
            ("c_first", "2 - -"),
            ("frontier", "1 1 1"),
            ("c_front", "1 1 1"),
            ("c_new", "1 1 1"),
            ("height", "0 1 2"),
            ("c_height", "0 1 2"),
            ("query_distance", "2 1 0"),
            ("dfs_depth", "2 1 0"),
            ("c_dfs", "2 1 0"),
            ("lag", "- 1 1"),
            ("out_degree", "2 4 0"),
            ("previous_out_degree", "- 2 4"),
            ("in_degree", "0 1 1"),
            ("previous_in_degree", "- 0 1"),
            ("remaining", "3 2 1"),
            ("position", "1 2 3"),
            ("edges", "6 6 6"),
        ],
    );
    columns(
        B2,
        "2 10 7 8 5 3 1 6",
        &[
            ("frontier", "2 3 3 2 2 1 1 1"),
            ("c_new", "2 2 1 0 1 0 1 1"),
            ("newly_enabled", "2 1 0 1 0 1 1 0"),
            ("height", "0 0 1 1 2 1 2 3"),
            ("query_distance", "2 2 1 2 1 2 1 0"),
            ("lag", "- - 1 3 1 5 1 1"),
        ],
    );
    columns(
        B3,
        "5 3 14 2 10 17 13 4 8",
        &[
            ("frontier", "3 3 4 3 3 2 1 1 1"),
            ("c_new", "3 1 2 0 1 0 0 1 1"),
            ("height", "0 1 2 0 3 2 0 3 4"),
            ("dfs_depth", "4 3 2 2 1 2 2 1 0"),
        ],
    );
}

#[test]
fn answers_known_questions() {
    let any = configured(&[("order", text("any"))]).unwrap();
    for (question, answer) in [(B1, "5 3 2"), (B2, "2 10 7 8 5 3 1 6"), (B3, "5 3 14 2 10 17 13 4 8")] {
        assert!(any.check(question, answer).unwrap().valid, "{question}");
    }
    let known = [
        ("3>1 3>4 5>4 ? 4", "3 5"),
        ("5>4 3>4 3>1 ? 4", "3 5"),
        ("3>1 3>4 5>4 ? 1", "3"),
        ("3>1 3>4 5>4 ? 3", ""),
        (B1, "5 3"),
        // 6 depends on 1, 5 and 7; 1 on 2, 3 and 10.
        (B2, "2 3 10 1 7 8 5"),
        (B3, "13 5 3 17 4 2 14 10"),
    ];
    for (question, answer) in known {
        assert_eq!(canonical().answer(question).unwrap(), answer, "{question}");
        assert!(canonical().check(question, answer).unwrap().valid, "{question}");
        let query = question.rsplit(' ').next().unwrap();
        let answer = format!("{answer} {query}");
        assert_eq!(any.answer(question).unwrap(), answer.trim_start(), "{question}");
        assert!(any.check(question, &answer).unwrap().valid, "{question}");
    }
}

#[test]
fn wrong_answers_are_told_why() {
    let any = configured(&[("order", text("any"))]).unwrap();
    let reason = |answer: &str| any.check(B1, answer).unwrap().reason;
    assert_eq!(reason("3 5 2"), "node 1: `3` depends on `5`, which is not printed yet");
    assert_eq!(reason("5 2"), "node 2: `2` depends on `3`, which is not printed yet");
    assert_eq!(reason("5 3"), "`2` is missing, on which `2` depends");
    assert_eq!(reason("5 5 3 2"), "node 2: `5` is printed twice");
    assert_eq!(reason("5 3 4 2"), "node 3: expected what `2` depends on, but `4` is nothing that it depends on");
    assert_eq!(reason("5 3 2 2"), "node 4: `2` is printed twice");
    assert_eq!(reason("5 x 2"), "node 2: expected a node from 1 to 60, found `x`");
    let reason = |answer: &str| canonical().check("3>1 3>4 5>4 ? 4", answer).unwrap().reason;
    assert_eq!(reason("5 3"), "node 1: expected `3`, found `5`");
    assert_eq!(reason("3"), "`5` is missing, on which `4` depends");
    assert_eq!(reason("3 5 4"), "node 3: expected what `4` depends on, but `4` is the node asked about");
    for word in ["61", "0", "03", "+3", "3.", "<eos>", "99999999999999999999"] {
        assert!(reason(word).starts_with("node 1: expected a node from 1 to 60, found `"), "{word}");
    }
}

#[test]
fn sequences_are_laid_out_as_documented() {
    for task in [canonical(), spelled("any"), spelled("canonical")] {
        let instance = draw(&*task, 9, 1);
        let spaced = |text: &str| text.replace('.', ". ");
        let (edges, query) = instance.question.split_once(" ? ").unwrap();
        let edges = spaced(&edges.replace('>', " "));
        let text = instance.text(&task.spec().vocabulary);
        let answer = spaced(&instance.answer);
        assert_eq!(text, format!("<bos> {edges} <query> {} <ans> {answer} <eos>", spaced(query)));
        let supervised = instance.loss_mask.iter().filter(|loss| **loss).count();
        assert_eq!(supervised, answer.split(' ').count() + 1);
        assert!(instance.loss_mask[instance.tokens.len() - supervised..].iter().all(|loss| *loss));
    }
    assert_eq!(canonical().spec().vocabulary.len(), 64);
    assert_eq!(spelled("any").spec().vocabulary[4..].join(" "), "1. 2. 3. 4. 1 2 3 4");
}
