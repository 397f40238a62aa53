//! What printing an answer takes, node by node.

use crate::graph::Graph;

/// One printed node and the state it was printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The node.
    pub node: u16,
    /// Answer nodes that could be printed here, this one included.
    pub frontier: u32,
    /// Those of them that could not be printed a step earlier.
    pub newly: u32,
    /// Answer nodes that printing this one enables.
    pub unlocks: u32,
    /// Places back to the last printed predecessor; 0 for nodes without predecessors.
    pub lag: u32,
}

/// Progress of a node.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Whether the node belongs to the answer.
    is_wanted: bool,
    /// Predecessors already printed.
    printed: u8,
    /// Place of the last of them, from 1 on.
    last: u32,
}

/// Follows `answer`, which lists the nodes of the answer in a topological order.
pub fn steps(graph: &Graph, answer: &[u16]) -> Vec<Step> {
    let mut progress = vec![Progress::default(); graph.size()];
    let mut newly = 0;
    for node in answer {
        progress[usize::from(*node)].is_wanted = true;
        newly += u32::from(graph.node(*node).predecessors.nodes().is_empty());
    }
    let mut frontier = newly;
    let mut steps = Vec::with_capacity(answer.len());
    for (place, node) in (1..).zip(answer) {
        let mut unlocks = 0;
        for dependent in graph.node(*node).dependents.nodes() {
            let state = &mut progress[usize::from(*dependent)];
            state.printed += 1;
            state.last = place;
            let is_enabled = usize::from(state.printed) == graph.node(*dependent).predecessors.nodes().len();
            unlocks += u32::from(is_enabled && state.is_wanted);
        }
        let last = progress[usize::from(*node)].last;
        let lag = if last > 0 { place - last } else { 0 };
        steps.push(Step { node: *node, frontier, newly, unlocks, lag });
        frontier = frontier - 1 + unlocks;
        newly = unlocks;
    }
    steps
}
