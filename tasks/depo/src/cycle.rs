//! Random cycles and questions about them.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::random::Draws;

use crate::hops::Hops;

/// A question about a cycle.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Index of the start on the cycle.
    pub start: u32,
    /// Number of hops.
    pub hops: u32,
}

/// A cycle, the order in which its edges are printed, and the questions about it.
#[derive(Debug, Clone)]
pub struct Cycle {
    /// Ids of the nodes' names, with every node followed by its successor, the last by the first.
    pub nodes: Vec<u32>,
    /// Indices on the cycle of the nodes at which the printed edges start.
    pub printed: Vec<u32>,
    /// The questions.
    pub queries: Vec<Query>,
}

impl Cycle {
    /// Draws a cycle of `size` nodes, all equally likely, and up to `most` questions with distinct starts.
    pub fn draw(size: usize, most: usize, names: &Names, hops: &Hops, draws: &mut Draws) -> Self {
        // Names come in random order, so any fixed cycle through them is random.
        let nodes = names.draw(size, draws);
        let mut printed: Vec<u32> = (0..size as u32).collect();
        draws.shuffle(&mut printed);
        let count = most.min(size);
        let mut starts: Vec<u32> = (0..size as u32).collect();
        let mut queries = Vec::with_capacity(count);
        for place in 0..count {
            let chosen = place + draws.below(size - place);
            starts.swap(place, chosen);
            queries.push(Query { start: starts[place], hops: hops.draw(draws) });
        }
        Self { nodes, printed, queries }
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Index on the cycle of the answer to a question.
    pub fn answer(&self, query: &Query) -> usize {
        (query.start as usize + query.hops as usize) % self.size()
    }
}
