//! The checker: walks the cycle once backwards, and compares the distances of start and answer to its end.

use std::collections::BTreeMap;

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Verdict;

use crate::hops::Hops;
use crate::question::{self, Question};

/// Checks the answers to all questions.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, names: &Names, hops: &Hops) -> Result<Verdict> {
    let question = question::read(question, names, hops)?;
    Ok(match compare(&question, answer, names) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn compare(question: &Question, answer: &str, names: &Names) -> Result<(), String> {
    let length = question.successors.len() as u64;
    let distances = distances(question);
    let mut words = answer.split_whitespace();
    for (number, (start, hops)) in (1..).zip(&question.queries) {
        let Some(word) = words.next() else {
            return Err(format!("answer {number}: expected {}, found the end", names.expected()));
        };
        let Some(node) = names.read(word) else {
            return Err(format!("answer {number}: expected {}, found `{}`", names.expected(), shorten(word)));
        };
        let Some(end) = distances.get(&node) else {
            return Err(format!("answer {number}: expected a node of the cycle, found `{word}`"));
        };
        // Every hop is one node closer to the end; after the end the distances start over.
        let start = distances.get(start).copied().unwrap_or(0);
        let walked = (start + length - end) % length;
        if walked != hops % length {
            let count = hops % length;
            return Err(format!("answer {number}: `{word}` is {walked} hops from the start, not {count} of {length}"));
        }
    }
    match words.next() {
        Some(word) => {
            let count = question.queries.len();
            Err(format!("expected {count} nodes and no more, found `{}`", shorten(word)))
        }
        None => Ok(()),
    }
}

/// Hops from every node to the start of the backward walk.
fn distances(question: &Question) -> BTreeMap<u32, u64> {
    let predecessors: BTreeMap<u32, u32> = question.successors.iter().map(|(from, to)| (*to, *from)).collect();
    let mut distances = BTreeMap::new();
    let mut at = question.queries.first().map(|(start, _)| *start);
    while let Some(node) = at.filter(|node| !distances.contains_key(node)) {
        distances.insert(node, distances.len() as u64);
        at = predecessors.get(&node).copied();
    }
    distances
}
