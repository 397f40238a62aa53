//! Minimum spanning trees.

use crate::argsort::argsort;
use crate::input::Graph;
use crate::trace::Trace;

/// The benchmark's offset to the keys of nodes that do not wait, which is enough for the weights that it draws.
const LAST: f64 = 1e9;

/// The edges that Kruskal's algorithm selects, as a matrix: one step per edge and per link followed to a root.
pub fn kruskal(graph: &Graph) -> Trace {
    let nodes = graph.nodes;
    let mut trace = Trace::started(vec![0; nodes * nodes]);
    let pairs = (0..nodes).flat_map(|from| (from + 1..nodes).map(move |to| (from, to)));
    let edges: Vec<(usize, usize)> = pairs.filter(|(from, to)| graph.weight(*from, *to) > 0.0).collect();
    let weights: Vec<f64> = edges.iter().map(|(from, to)| graph.weight(*from, *to)).collect();
    let mut parents: Vec<usize> = (0..nodes).collect();
    for edge in argsort(&weights) {
        let (from, to) = edges[edge];
        trace.snapshot();
        let mut find = |node: usize| {
            let mut root = node;
            let mut path = vec![node];
            while parents[root] != root {
                root = parents[root];
                path.iter().for_each(|node| parents[*node] = root);
                path.push(root);
                trace.snapshot();
            }
            root
        };
        let (left, right) = (find(from), find(to));
        if left != right {
            trace.set(from * nodes + to, 1);
            trace.set(to * nodes + from, 1);
            parents[left.min(right)] = left.max(right);
        }
        trace.snapshot();
    }
    trace
}

/// Predecessors of Prim's algorithm: one step per added node.
pub fn prim(graph: &Graph) -> Trace {
    grow(graph, |_, weight| weight)
}

/// Grows a tree from the source by adding the adjacent node with the smallest key. `key` computes a node's key from the
/// key of a tree node and the weight of the edge between them.
pub fn grow(graph: &Graph, key: impl Fn(f64, f64) -> f64) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    trace.snapshot();
    let mut keys = vec![0.0; graph.nodes];
    let mut added = vec![false; graph.nodes];
    let mut waiting = vec![false; graph.nodes];
    waiting[graph.source] = true;
    // The benchmark's order of nodes, in which nodes that do not wait come last. No key exceeds the sum of all weights.
    let mut ranked = vec![0.0; graph.nodes];
    let total: f64 = graph.weights.iter().sum();
    let last = if total < LAST { LAST } else { 2.0 * total };
    for _ in 0..graph.nodes {
        for node in 0..graph.nodes {
            ranked[node] = keys[node] + if waiting[node] { 0.0 } else { last };
        }
        let next = argsort(&ranked)[0];
        if !waiting[next] {
            break;
        }
        waiting[next] = false;
        added[next] = true;
        for node in graph.successors(next) {
            let offer = key(keys[next], graph.weight(next, node));
            if !added[node] && (!waiting[node] || offer < keys[node]) {
                trace.set(node, next);
                keys[node] = offer;
                waiting[node] = true;
            }
        }
        trace.snapshot();
    }
    trace
}
