//! Questions as text: edges such as `3>1`, a question mark, the query.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::error::shorten;
use haltbench_sdk::nodes::Names;
use haltbench_sdk::{Error, Result};

use crate::graph::DEGREE;

/// A node of a question, ordered like its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node<'a> {
    /// Id of its name.
    pub key: u32,
    /// Its name.
    pub word: &'a str,
}

impl<'a> Node<'a> {
    /// The node called `word`, if this is a name.
    pub fn read(word: &'a str, names: &Names) -> Option<Self> {
        names.read(word).map(|key| Self { key, word })
    }
}

/// A parsed question: an acyclic graph with allowed degrees, and one of its nodes.
pub struct Question<'a> {
    /// Edges (predecessor, dependent) in order.
    pub edges: Vec<[Node<'a>; 2]>,
    /// The queried node.
    pub query: Node<'a>,
}

/// Reads a question. Positions of words are 1-based.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word.
pub fn read<'a>(text: &'a str, names: &Names) -> Result<Question<'a>> {
    let mut words = text.split_whitespace();
    let mut graph = Edges::default();
    let mut position = 0;
    loop {
        position += 1;
        let expected = if graph.list.is_empty() { "an edge such as `3>1`" } else { "an edge such as `3>1` or `?`" };
        match words.next() {
            None => return Err(Error::malformed(position, format!("expected {expected}, found the end"))),
            Some("?") if !graph.list.is_empty() => break,
            Some(word) => {
                let Some((from, to)) = word.split_once('>') else {
                    return Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))));
                };
                let edge = [node(from, names, position)?, node(to, names, position)?];
                graph.add(edge).map_err(|message| Error::malformed(position, message))?;
            }
        }
    }
    position += 1;
    let Some(word) = words.next() else {
        return Err(Error::malformed(position, "expected the node asked about, found the end"));
    };
    let query = node(word, names, position)?;
    if !graph.list.iter().any(|edge| edge.contains(&query)) {
        return Err(Error::malformed(position, format!("expected a node of the graph, found `{word}`")));
    }
    match words.next() {
        Some(word) => Err(Error::malformed(position + 1, format!("expected the end, found `{}`", shorten(word)))),
        None => Ok(Question { edges: graph.list, query }),
    }
}

fn node<'a>(word: &'a str, names: &Names, position: usize) -> Result<Node<'a>> {
    let refuse = || Error::malformed(position, format!("expected {}, found `{}`", names.expected(), shorten(word)));
    Node::read(word, names).ok_or_else(refuse)
}

/// Edges read so far.
#[derive(Default)]
struct Edges<'a> {
    list: Vec<[Node<'a>; 2]>,
    dependents: BTreeMap<Node<'a>, BTreeSet<Node<'a>>>,
    in_degree: BTreeMap<Node<'a>, usize>,
}

impl<'a> Edges<'a> {
    /// Adds an edge, or returns why it is invalid.
    fn add(&mut self, [from, to]: [Node<'a>; 2]) -> Result<(), String> {
        let edge = format!("`{}>{}`", from.word, to.word);
        if from == to {
            return Err(format!("the edge {edge} makes a node depend on itself"));
        }
        // Only a path back from the dependent could close a cycle.
        if self.reaches(to, from) {
            return Err(format!("the edge {edge} closes a cycle"));
        }
        let dependents = self.dependents.entry(from).or_default();
        if !dependents.insert(to) {
            return Err(format!("the edge {edge} stands there twice"));
        }
        if dependents.len() > DEGREE {
            return Err(format!("the edge {edge} is one more than the {DEGREE} that may leave a node"));
        }
        let in_degree = self.in_degree.entry(to).or_default();
        *in_degree += 1;
        if *in_degree > DEGREE {
            return Err(format!("the edge {edge} is one more than the {DEGREE} that may lead to a node"));
        }
        self.list.push([from, to]);
        Ok(())
    }

    fn reaches(&self, start: Node<'a>, goal: Node<'a>) -> bool {
        let mut pending = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(node) = pending.pop() {
            if node == goal {
                return true;
            }
            if seen.insert(node) {
                pending.extend(self.dependents.get(&node).into_iter().flatten());
            }
        }
        false
    }
}
