//! Orders in which a graph's ancestors of the query are printed.

use crate::draws::Draws;
use crate::graph::{Graph, Neighbours};

/// Which answers are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRule {
    /// One: depth-first post-order, predecessors ascending, without the query.
    Canonical,
    /// Every topological order, the query last.
    Any,
}

/// What a depth-first search from the query finds.
pub struct Search {
    /// Ancestors of the query in post-order; the query is the last.
    pub post_order: Vec<u16>,
    /// Depth in the search tree for every node; the query has 0, nodes that are no ancestors nothing that counts.
    pub depth: Vec<u16>,
    /// Whether a node is the query or an ancestor of it.
    pub is_member: Vec<bool>,
}

/// Searches from the query, predecessors in the order of `predecessors`.
pub fn search(graph: &Graph, predecessors: &[Neighbours]) -> Search {
    let size = graph.size();
    let (mut depth, mut is_member) = (vec![0; size], vec![false; size]);
    let mut post_order = Vec::with_capacity(size);
    // The path from the query to the node at hand, with the number of predecessors already visited.
    let mut path = Vec::with_capacity(size);
    is_member[usize::from(graph.query)] = true;
    path.push((graph.query, 0));
    while let Some((node, visited)) = path.last_mut() {
        match predecessors[usize::from(*node)].nodes().get(*visited) {
            Some(next) => {
                *visited += 1;
                let place = usize::from(*next);
                if !is_member[place] {
                    is_member[place] = true;
                    depth[place] = path.len() as u16;
                    path.push((*next, 0));
                }
            }
            None => {
                post_order.push(*node);
                path.pop();
            }
        }
    }
    Search { post_order, depth, is_member }
}

/// The released order: from the query backwards, a uniformly random node all of whose dependents among the ancestors
/// are out, then reversed.
pub fn random_backward(graph: &Graph, is_member: &[bool], draws: &mut Draws) -> Vec<u16> {
    let member = |node: &&u16| is_member[usize::from(**node)];
    let mut waiting: Vec<usize> =
        graph.dependents.iter().map(|dependents| dependents.nodes().iter().filter(member).count()).collect();
    let mut order = Vec::with_capacity(graph.size());
    let mut ready = vec![graph.query];
    while !ready.is_empty() {
        let node = ready.swap_remove(draws.below(ready.len()));
        order.push(node);
        for predecessor in graph.predecessors[usize::from(node)].nodes() {
            let left = &mut waiting[usize::from(*predecessor)];
            *left -= 1;
            if *left == 0 {
                ready.push(*predecessor);
            }
        }
    }
    order.reverse();
    order
}
