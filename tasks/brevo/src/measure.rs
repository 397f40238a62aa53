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

/// Follows `answer`, which lists the nodes of the answer in a topological order.
pub fn steps(graph: &Graph, answer: &[u16]) -> Vec<Step> {
    let mut place = vec![0; graph.size()];
    for (number, node) in (1..).zip(answer) {
        place[usize::from(*node)] = number;
    }
    let mut missing: Vec<usize> = graph.predecessors.iter().map(|nodes| nodes.nodes().len()).collect();
    let mut newly = answer.iter().filter(|node| missing[usize::from(**node)] == 0).count() as u32;
    let mut frontier = newly;
    let mut steps = Vec::with_capacity(answer.len());
    for node in answer {
        let number = usize::from(*node);
        let mut unlocks = 0;
        for dependent in graph.dependents[number].nodes() {
            let dependent = usize::from(*dependent);
            missing[dependent] -= 1;
            unlocks += u32::from(missing[dependent] == 0 && place[dependent] > 0);
        }
        let predecessors = graph.predecessors[number].nodes().iter();
        let last = predecessors.map(|predecessor| place[usize::from(*predecessor)]).max();
        let lag = last.map_or(0, |last| place[number] - last);
        steps.push(Step { node: *node, frontier, newly, unlocks, lag });
        frontier = frontier - 1 + unlocks;
        newly = unlocks;
    }
    steps
}

/// Longest chain of predecessors of every ancestor in `post_order`, in edges.
pub fn heights(graph: &Graph, post_order: &[u16]) -> Vec<u16> {
    let mut heights = vec![0; graph.size()];
    for node in post_order {
        let predecessors = graph.predecessors[usize::from(*node)].nodes().iter();
        let highest = predecessors.map(|predecessor| heights[usize::from(*predecessor)] + 1).max();
        heights[usize::from(*node)] = highest.unwrap_or(0);
    }
    heights
}

/// Fewest edges from every ancestor to the query; `u16::MAX` for the other nodes.
pub fn distances(graph: &Graph) -> Vec<u16> {
    let mut distances = vec![u16::MAX; graph.size()];
    distances[usize::from(graph.query)] = 0;
    let mut reached = Vec::with_capacity(graph.size());
    reached.push(graph.query);
    let mut next = 0;
    while let Some(node) = reached.get(next).copied() {
        next += 1;
        for predecessor in graph.predecessors[usize::from(node)].nodes() {
            let place = usize::from(*predecessor);
            if distances[place] == u16::MAX {
                distances[place] = distances[usize::from(node)] + 1;
                reached.push(*predecessor);
            }
        }
    }
    distances
}
