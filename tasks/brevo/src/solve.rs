//! The solver: depth-first search over the names of a question. Its stack is explicit, so only memory limits a chain.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::Result;
use haltbench_sdk::nodes::Names;

use crate::order::OrderRule;
use crate::question;

/// The answer: ancestors of the query in depth-first post-order, which is a topological order.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first invalid word of the question.
pub fn answer(question: &str, names: &Names, order: OrderRule) -> Result<String> {
    let question = question::read(question, names)?;
    let mut predecessors: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for [from, to] in &question.edges {
        predecessors.entry(to).or_default().insert(from);
    }
    // The first pop of a node opens it; the second, after everything opened in between, prints it.
    let mut pending = vec![(&question.query, false)];
    let mut opened = BTreeSet::new();
    let mut printed = Vec::new();
    while let Some((node, is_complete)) = pending.pop() {
        if is_complete {
            printed.push(node.word);
        } else if opened.insert(node) {
            pending.push((node, true));
            let before = predecessors.get(node).into_iter().flatten().rev();
            pending.extend(before.map(|predecessor| (*predecessor, false)));
        }
    }
    if order == OrderRule::Canonical {
        printed.pop();
    }
    Ok(printed.join(" "))
}
