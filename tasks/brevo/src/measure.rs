//! Counts for each printed node of an answer.

use crate::graph::Graph;

/// One printed node and the state in which it was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node.
    pub node: u16,
    /// Answer nodes that could be printed here, this one included.
    pub frontier: u32,
    /// Nodes of the frontier that could not be printed one step earlier.
    pub newly: u32,
    /// Answer nodes that printing this one enables.
    pub unlocks: u32,
    /// Distance back to the last printed predecessor; 0 for nodes without predecessors.
    pub lag: u32,
}

/// Progress of a node.
#[derive(Clone, Copy)]
struct Progress {
    /// Number of unprinted predecessors, if the node belongs to the answer.
    missing: u16,
    /// Position of the predecessor printed last, 1-based; 0 if there is none.
    last: u16,
}

/// Follows `answer`, which lists the answer's nodes in a topological order.
pub fn steps(graph: &Graph, answer: &[u16]) -> Vec<Step> {
    // Other nodes, and the padding entry, never count down to 0.
    let mut progress = vec![Progress { missing: u16::MAX, last: 0 }; graph.size() + 1];
    let mut newly = 0;
    for node in answer {
        let missing = graph.node(*node).predecessors.count();
        progress[usize::from(*node)].missing = missing as u16;
        newly += u32::from(missing == 0);
    }
    let mut frontier = newly;
    let mut steps = Vec::with_capacity(answer.len());
    for (place, node) in (1..).zip(answer) {
        let mut unlocks = 0;
        for dependent in graph.node(*node).dependents.padded() {
            let state = &mut progress[dependent];
            *state = Progress { missing: state.missing - 1, last: place };
            unlocks += u32::from(state.missing == 0);
        }
        let last = progress[usize::from(*node)].last;
        let lag = if last > 0 { u32::from(place - last) } else { 0 };
        steps.push(Step { node: *node, frontier, newly, unlocks, lag });
        frontier = frontier - 1 + unlocks;
        newly = unlocks;
    }
    steps
}
