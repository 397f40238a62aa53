//! Orders in which the query's ancestors are printed.

use haltbench_sdk::random::Draws;

use crate::graph::{Graph, Neighbours};

/// The correct answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRule {
    /// One: depth-first post-order, predecessors ascending, without the query.
    Canonical,
    /// Every topological order, the query last.
    Any,
}

/// The result of a search from the query for one node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// Whether the node is the query or an ancestor of it; if not, the other fields are meaningless.
    pub is_member: bool,
    /// Depth in the depth-first tree; the query has 0.
    pub depth: u16,
    /// Edges of the longest chain of predecessors that ends at the node.
    pub height: u16,
    /// Fewest edges to the query.
    pub distance: u16,
}

/// The result of a depth-first search from the query.
pub struct Search {
    /// The query's ancestors in post-order, with the query last.
    pub post_order: Vec<u16>,
    /// One entry per node of the graph, then a padding entry.
    pub nodes: Vec<Found>,
}

impl Search {
    /// Searches a graph. If only one order is correct, predecessors are visited in ascending order, otherwise in the
    /// order of the prompt.
    pub fn new(graph: &Graph, order: OrderRule) -> Self {
        let post_order = Vec::with_capacity(graph.size());
        let mut search = Self { post_order, nodes: vec![Found::default(); graph.size() + 1] };
        match order {
            OrderRule::Canonical => search.descend(graph, |node| graph.node(node).predecessors),
            OrderRule::Any => search.descend(graph, |node| graph.node(node).printed),
        }
        // In reverse post-order, every dependent has its final distance before a node's own distance is computed.
        for node in search.post_order.iter().rev() {
            let next = search.nodes[usize::from(*node)].distance + 1;
            for predecessor in graph.node(*node).predecessors.padded() {
                let found = &mut search.nodes[predecessor];
                found.distance = next.min(found.distance);
            }
        }
        search
    }

    fn descend(&mut self, graph: &Graph, predecessors: impl Fn(u16) -> Neighbours) {
        self.nodes[usize::from(graph.query)].is_member = true;
        // The path from the query to the current node: each node with its predecessors, the number of visited ones, and
        // the height so far.
        let mut path = Vec::with_capacity(graph.size());
        path.push((graph.query, predecessors(graph.query), 0, 0));
        while let Some((node, before, visited, height)) = path.last_mut() {
            if let Some(next) = before.nodes().get(*visited).copied() {
                let found = &self.nodes[usize::from(next)];
                if found.is_member {
                    // The node is complete: in a graph without cycles, no open node precedes another open one.
                    *visited += 1;
                    *height = found.height.saturating_add(1).max(*height);
                } else {
                    let found = Found { is_member: true, depth: path.len() as u16, height: 0, distance: u16::MAX };
                    self.nodes[usize::from(next)] = found;
                    path.push((next, predecessors(next), 0, 0));
                }
            } else {
                self.nodes[usize::from(*node)].height = *height;
                self.post_order.push(*node);
                path.pop();
            }
        }
    }

    /// The released order: from the query backwards, repeatedly a uniformly random node whose dependents among the
    /// ancestors are all taken, then reversed.
    pub fn random_backward(&self, graph: &Graph, draws: &mut Draws) -> Vec<u16> {
        // One padding entry, which never counts down to 0.
        let mut waiting = vec![0_u16; graph.size() + 1];
        for node in &self.post_order {
            for predecessor in graph.node(*node).predecessors.padded() {
                waiting[predecessor] += 1;
            }
        }
        waiting[graph.size()] = u16::MAX;
        let mut order = Vec::with_capacity(self.post_order.len());
        let mut ready = vec![0; self.post_order.len() + 1];
        ready[0] = graph.query;
        let mut count = 1;
        while count > 0 {
            let chosen = draws.below(count);
            let node = ready[chosen];
            count -= 1;
            ready[chosen] = ready[count];
            order.push(node);
            for predecessor in graph.node(node).predecessors.padded() {
                let left = &mut waiting[predecessor];
                *left -= 1;
                // Written unconditionally, because a branch on whether it counts would be mispredicted.
                ready[count] = predecessor as u16;
                count += usize::from(*left == 0);
            }
        }
        order.reverse();
        order
    }
}
