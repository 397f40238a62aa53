//! Checks of articulation points and bridges: whether removing them separates nodes.

use super::compare;
use crate::input::Graph;

/// The nodes that are connected to `start` without the `removed` edges.
fn joined(graph: &Graph, start: usize, removed: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    let mut seen = vec![false; graph.nodes];
    seen[start] = true;
    let mut stack = vec![start];
    while let Some(node) = stack.pop() {
        for next in graph.successors(node) {
            if !seen[next] && !removed(node, next) {
                seen[next] = true;
                stack.push(next);
            }
        }
    }
    seen
}

/// Articulation points: without the node, some of its neighbours are not connected.
pub fn cut_nodes(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let is_cut = |node: usize| {
        let neighbours: Vec<usize> = graph.successors(node).filter(|next| *next != node).collect();
        neighbours.first().is_some_and(|first| {
            let seen = joined(graph, *first, |from, to| from == node || to == node);
            neighbours.iter().any(|next| !seen[*next])
        })
    };
    compare(&(0..graph.nodes).map(|node| i64::from(is_cut(node))).collect::<Vec<_>>(), given)
}

/// Bridges: without the edge, its ends are not connected. -1 means no edge, except that the diagonal is 0.
pub fn cut_edges(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let kind = |from: usize, to: usize| {
        if from == to {
            return 0;
        }
        if !graph.has(from, to) {
            return -1;
        }
        i64::from(!joined(graph, from, |left, right| (left, right) == (from, to) || (right, left) == (from, to))[to])
    };
    let cells = (0..graph.nodes).flat_map(|from| (0..graph.nodes).map(move |to| (from, to)));
    compare(&cells.map(|(from, to)| kind(from, to)).collect::<Vec<_>>(), given)
}
