//! Checks of minimum spanning trees. Among edges with equal weights, any choice that gives a minimum spanning tree is
//! correct.

use crate::input::Graph;

/// Whether edges below this weight connect two nodes.
fn joined_below(graph: &Graph, (from, to): (usize, usize), weight: f64) -> bool {
    let mut seen = vec![false; graph.nodes];
    let mut stack = vec![from];
    while let Some(node) = stack.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        stack.extend(graph.successors(node).filter(|next| graph.weight(node, *next) < weight && !seen[*next]));
    }
    seen[to]
}

/// Whether `tree` is a minimum spanning forest of `graph`: no edge of it connects nodes that lighter edges already
/// connect, and it has no cycles and as many edges as possible.
fn minimum(graph: &Graph, tree: &[(usize, usize)]) -> Result<(), String> {
    let mut names: Vec<usize> = (0..graph.nodes).collect();
    for (from, to) in tree {
        if !graph.has(*from, *to) || from == to {
            return Err(format!("there is no edge between {from} and {to}"));
        }
        if joined_below(graph, (*from, *to), graph.weight(*from, *to)) {
            return Err(format!("lighter edges join {from} and {to}"));
        }
        let (old, new) = (names[*from], names[*to]);
        if old == new {
            return Err(format!("the edge between {from} and {to} closes a cycle"));
        }
        names.iter_mut().filter(|name| **name == old).for_each(|name| *name = new);
    }
    let split = |from: usize| graph.successors(from).find(|to| names[*to] != names[from]).map(|to| (from, to));
    match (0..graph.nodes).find_map(split) {
        Some((from, to)) => Err(format!("{from} and {to} are not joined")),
        None => Ok(()),
    }
}

/// The edges of a minimum spanning forest, as a matrix.
pub fn edges(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let nodes = graph.nodes;
    let mut tree = Vec::new();
    for from in 0..nodes {
        for to in 0..nodes {
            match (given[from * nodes + to], given[to * nodes + from]) {
                (0, 0) => {}
                (1, 1) if from < to => tree.push((from, to)),
                (1, 1) if from > to => {}
                (entry, other) => return Err(format!("entries of {from} and {to}: found {entry} and {other}")),
            }
        }
    }
    minimum(graph, &tree)
}

/// Predecessors in a minimum spanning tree of the source's component.
pub fn tree(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let mut parents = Vec::with_capacity(graph.nodes);
    for entry in given {
        let parent = usize::try_from(*entry).ok().filter(|parent| *parent < graph.nodes);
        parents.push(parent.ok_or_else(|| format!("{entry} is not a node"))?);
    }
    let inside = |node: usize| joined_below(graph, (graph.source, node), f64::INFINITY);
    let mut part = graph.clone();
    let mut tree = Vec::new();
    for (node, parent) in parents.into_iter().enumerate() {
        if !inside(node) {
            // Other components are not part of the problem.
            part.weights[node * graph.nodes..(node + 1) * graph.nodes].fill(0.0);
        }
        let root = node == graph.source || !inside(node);
        if root != (parent == node) {
            return Err(format!("node {node}: {parent} cannot be its predecessor"));
        }
        if !root {
            tree.push((parent, node));
        }
    }
    minimum(&part, &tree)
}
