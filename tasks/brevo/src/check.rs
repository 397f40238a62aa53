//! The checker: closes the set of ancestors edge by edge, then walks the answer.
//!
//! If only one order is correct, each next node is found from the query: step to the first unprinted predecessor until
//! there is none. No search state is kept between nodes.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Verdict;

use crate::order::OrderRule;
use crate::question::{self, Node, Question};

/// Checks an answer.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, names: &Names, order: OrderRule) -> Result<Verdict> {
    let question = question::read(question, names)?;
    Ok(match walk(&question, answer, names, order) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn walk(question: &Question, answer: &str, names: &Names, order: OrderRule) -> Result<(), String> {
    let mut wanted = ancestors(question);
    if order == OrderRule::Canonical {
        wanted.remove(&question.query);
    }
    let mut predecessors: BTreeMap<Node, BTreeSet<Node>> = BTreeMap::new();
    for [from, to] in &question.edges {
        predecessors.entry(*to).or_default().insert(*from);
    }
    let query = question.query.word;
    let mut printed = BTreeSet::new();
    for (place, word) in (1..).zip(answer.split_whitespace()) {
        let Some(node) = Node::read(word, names) else {
            return Err(format!("node {place}: expected {}, found `{}`", names.expected(), shorten(word)));
        };
        if printed.contains(&node) {
            return Err(format!("node {place}: `{word}` is printed twice"));
        }
        if !wanted.contains(&node) {
            let is_query = node == question.query;
            let why = if is_query { "is the node asked about" } else { "is nothing that it depends on" };
            return Err(format!("node {place}: expected what `{query}` depends on, but `{word}` {why}"));
        }
        let mut before = predecessors.get(&node).into_iter().flatten();
        if let Some(missing) = before.find(|node| !printed.contains(*node)) {
            return Err(format!("node {place}: `{word}` depends on `{}`, which is not printed yet", missing.word));
        }
        let next = next(question.query, &predecessors, &printed);
        if order == OrderRule::Canonical && next != node {
            return Err(format!("node {place}: expected `{}`, found `{word}`", next.word));
        }
        printed.insert(node);
    }
    match wanted.difference(&printed).next() {
        Some(missing) => Err(format!("`{}` is missing, on which `{query}` depends", missing.word)),
        None => Ok(()),
    }
}

/// The query and everything it depends on, grown by passes over all edges until a pass adds nothing.
fn ancestors<'a>(question: &Question<'a>) -> BTreeSet<Node<'a>> {
    let mut found = BTreeSet::from([question.query]);
    loop {
        let before = found.len();
        for [from, to] in question.edges.iter().rev() {
            if found.contains(to) {
                found.insert(*from);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The node that depth-first post-order prints after `printed`.
fn next<'a>(
    query: Node<'a>,
    predecessors: &BTreeMap<Node<'a>, BTreeSet<Node<'a>>>,
    printed: &BTreeSet<Node<'a>>,
) -> Node<'a> {
    let mut node = query;
    while let Some(first) = predecessors.get(&node).into_iter().flatten().find(|node| !printed.contains(*node)) {
        node = *first;
    }
    node
}
