//! A worked example with multi-token names, in which search depth and distance to the query differ.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Columns;

use super::every;
use crate::columns::{COMPLEXITIES, FEATURES, Layout, fill};
use crate::graph::Graph;
use crate::order::{OrderRule, Search};
use crate::question;

/// The search from 2.2 visits 3.3.2, 2.4.1 and 1.3 in this order, so it finds 1.3 at depth 3; through 1.2.2.4 it is two
/// edges away.
const QUESTION: &str = "2.4.1>3.3.2 3.3.2>2.2 1.3>2.4.1 1.2.2.4>2.2 1.3>1.2.2.4 1.3.2>1.2.2.4 ? 2.2";
const ANSWER: &str = "1.3 2.4.1 3.3.2 1.3.2 1.2.2.4 2.2";

#[test]
fn six_spelled_nodes_have_the_columns_found_by_hand() {
    let names = Names::new(4, 2, 4, 0);
    let read = question::read(QUESTION, &names).unwrap();
    let nodes: std::collections::BTreeSet<u32> = read.edges.iter().flatten().map(|node| node.key).collect();
    let place = |key: u32| nodes.iter().position(|node| *node == key).unwrap() as u16;
    let edges = read.edges.iter().map(|edge| edge.map(|node| place(node.key))).collect();
    let graph = Graph::new(nodes.iter().copied(), edges, place(read.query.key));
    let words: Vec<&str> = ANSWER.split(' ').collect();
    let answer: Vec<u16> = words.iter().map(|word| place(names.read(word).unwrap())).collect();
    let lengths: Vec<usize> = words.iter().map(|word| word.split('.').count()).collect();
    let length: usize = lengths.iter().sum();
    let layout = Layout { answer: &answer, length: length + 1, start: 0, paired: None };
    let [mut complexities, mut features] = <[Columns; 2]>::default();
    fill(&graph, &names, &Search::new(&graph, OrderRule::Any), &layout, [&mut complexities, &mut features]);
    let printed = |value: &f32| if value.is_nan() { "-".to_owned() } else { value.to_string() };
    let at_names = |column: &[f32]| {
        let starts = lengths.iter().scan(0, |next, length| Some(std::mem::replace(next, *next + length)));
        starts.map(|start| printed(&column[start])).collect::<Vec<_>>().join(" ")
    };
    let declared = COMPLEXITIES.iter().map(|column| column.name).chain(FEATURES.iter().map(|column| column.name));
    let all: Vec<_> = declared.zip(every(&complexities).take(COMPLEXITIES.len()).chain(every(&features))).collect();
    for (name, expected) in [
        ("c_first", "2 - - - - -"),
        ("frontier", "2 2 2 1 1 1"),
        ("c_new", "2 1 1 0 1 1"),
        ("newly_enabled", "1 1 0 1 1 0"),
        ("height", "0 1 2 0 1 3"),
        ("query_distance", "2 2 1 2 1 0"),
        ("dfs_depth", "3 2 1 2 1 0"),
        ("lag", "- 1 1 - 1 1"),
        ("remaining", "6 5 4 3 2 1"),
        ("out_degree", "2 1 1 1 1 0"),
        ("in_degree", "0 1 1 0 2 2"),
    ] {
        let column = &all.iter().find(|(found, _)| *found == name).unwrap().1;
        assert_eq!(at_names(column), expected, "{name}");
    }
    // After `1.`, both 1.3 and 1.3.2 are possible; once 1.3 is printed, no other name shares a prefix.
    let spelling: Vec<String> = complexities.column(COMPLEXITIES.len()).map(|value| printed(&value)).collect();
    assert_eq!(spelling.join(" "), "- 2 - 1 1 - 1 1 - 1 1 - 1 1 1 - 1 -");
}
