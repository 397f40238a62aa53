//! Questions as text: edges such as `4>7`, then for every question a question mark, the start and the number of hops.

use std::collections::BTreeMap;

use haltbench_sdk::error::shorten;
use haltbench_sdk::nodes::Names;
use haltbench_sdk::{Error, Result};

use crate::hops::Hops;

/// A parsed question: one cycle, and starts on it.
pub struct Question<'a> {
    /// The successor of each node, by ids of their names.
    pub successors: BTreeMap<u32, u32>,
    /// The words of the nodes.
    pub words: BTreeMap<u32, &'a str>,
    /// Starts and numbers of hops.
    pub queries: Vec<(u32, u64)>,
}

/// Reads a question. Positions of words are 1-based.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word.
pub fn read<'a>(text: &'a str, names: &Names, hops: &Hops) -> Result<Question<'a>> {
    let mut words = (1..).zip(text.split_whitespace());
    let mut graph = Edges::default();
    let mut end = 1;
    loop {
        let expected = graph.expected();
        let Some((position, word)) = words.next() else {
            return Err(Error::malformed(end, format!("expected {expected}, found the end")));
        };
        end = position + 1;
        if word == "?" && graph.is_closed {
            break;
        }
        let edge = word.split_once('>').filter(|_| !graph.is_closed);
        let Some((from, to)) = edge else {
            return Err(Error::malformed(position, format!("expected {expected}, found `{}`", shorten(word))));
        };
        let edge = [node(from, names, position)?, node(to, names, position)?];
        graph.words.extend([(edge[0], from), (edge[1], to)]);
        graph.add(edge, word).map_err(|message| Error::malformed(position, message))?;
    }
    let mut queries = Vec::new();
    loop {
        let Some((position, word)) = words.next() else {
            return Err(Error::malformed(end, "expected the node to start at, found the end"));
        };
        let start = node(word, names, position)?;
        if !graph.successors.contains_key(&start) {
            return Err(Error::malformed(position, format!("expected a node of the cycle, found `{word}`")));
        }
        let Some((position, word)) = words.next() else {
            return Err(Error::malformed(position + 1, format!("expected {}, found the end", hops.expected())));
        };
        let Some(count) = hops.read(word) else {
            return Err(Error::malformed(position, format!("expected {}, found `{}`", hops.expected(), shorten(word))));
        };
        queries.push((start, count));
        match words.next() {
            None => return Ok(Question { successors: graph.successors, words: graph.words, queries }),
            Some((position, "?")) => end = position + 1,
            Some((position, word)) => {
                return Err(Error::malformed(position, format!("expected `?` or the end, found `{}`", shorten(word))));
            }
        }
    }
}

fn node(word: &str, names: &Names, position: usize) -> Result<u32> {
    let refuse = || Error::malformed(position, format!("expected {}, found `{}`", names.expected(), shorten(word)));
    names.read(word).ok_or_else(refuse)
}

/// Edges read so far.
#[derive(Default)]
struct Edges<'a> {
    successors: BTreeMap<u32, u32>,
    predecessors: BTreeMap<u32, u32>,
    words: BTreeMap<u32, &'a str>,
    is_closed: bool,
}

impl Edges<'_> {
    fn expected(&self) -> &'static str {
        match self.is_closed {
            true => "`?` after the complete cycle",
            false => "an edge such as `4>7`",
        }
    }

    /// Adds an edge, or returns why it is invalid.
    fn add(&mut self, [from, to]: [u32; 2], edge: &str) -> Result<(), String> {
        if from == to {
            return Err(format!("the edge `{edge}` leads back to where it starts"));
        }
        if self.successors.insert(from, to).is_some() {
            return Err(format!("the edge `{edge}` is the second that leaves its node"));
        }
        if self.predecessors.insert(to, from).is_some() {
            return Err(format!("the edge `{edge}` is the second that leads to its node"));
        }
        let mut node = to;
        let mut length = 1;
        while let Some(next) = self.successors.get(&node).filter(|_| node != from) {
            node = *next;
            length += 1;
        }
        if node == from {
            if length < self.successors.len() {
                return Err(format!("the edge `{edge}` closes a cycle that leaves out other nodes"));
            }
            self.is_closed = true;
        }
        Ok(())
    }
}
