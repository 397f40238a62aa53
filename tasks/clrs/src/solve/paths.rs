//! Shortest paths. The entries of an answer are predecessors; nodes without one point at themselves.

use crate::input::Graph;
use crate::solve::spanning::grow;
use crate::solve::traversal::{Event, search};
use crate::trace::Trace;

/// Bellman-Ford: one step per round, in which every edge is relaxed with the distances of the previous round.
pub fn bellman_ford(graph: &Graph) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    let mut distances = vec![f64::INFINITY; graph.nodes];
    distances[graph.source] = 0.0;
    let mut pointers: Vec<usize> = (0..graph.nodes).collect();
    loop {
        let before = distances.clone();
        trace.snapshot();
        for from in (0..graph.nodes).filter(|node| before[*node].is_finite()) {
            for to in graph.successors(from) {
                let distance = before[from] + graph.weight(from, to);
                if distance < distances[to] {
                    distances[to] = distance;
                    pointers[to] = from;
                }
            }
        }
        for (node, pointer) in pointers.iter().enumerate() {
            trace.set(node, *pointer);
        }
        if distances == before {
            return trace;
        }
    }
}

/// Dijkstra: one step per node that is taken from the queue.
pub fn dijkstra(graph: &Graph) -> Trace {
    grow(graph, |distance, weight| distance + weight)
}

/// Relaxes the edges of an acyclic graph in the topological order of the nodes that the source reaches: one step per
/// event of the search that finds the order, then one per node.
pub fn acyclic(graph: &Graph) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    let mut finished = Vec::new();
    search(graph, [graph.source], |event| {
        if let Event::Finish(node) = event {
            finished.push(node);
        }
        if !matches!(event, Event::Known { .. } | Event::Enter { root: false, .. }) {
            trace.snapshot();
        }
    });
    let mut distances = vec![f64::INFINITY; graph.nodes];
    distances[graph.source] = 0.0;
    // The node that finishes first has no outgoing edge.
    for from in finished.into_iter().skip(1).rev() {
        trace.snapshot();
        for to in graph.successors(from) {
            let distance = distances[from] + graph.weight(from, to);
            if distance < distances[to] {
                distances[to] = distance;
                trace.set(to, from);
            }
        }
    }
    trace.snapshot();
    trace
}

/// Floyd-Warshall: for each pair of nodes the predecessor of the second on a path from the first; without a path, the
/// first node. One step per intermediate node.
///
/// A node's distance to itself starts with its loop, so that a shorter cycle replaces it.
pub fn floyd_warshall(graph: &Graph) -> Trace {
    let nodes = graph.nodes;
    let mut trace = Trace::new((0..nodes * nodes).map(|cell| (cell / nodes) as i32).collect());
    let mut distances: Vec<f64> = (0..nodes * nodes)
        .map(|cell| {
            let weight = graph.weights[cell];
            if weight == 0.0 && cell / nodes != cell % nodes { f64::INFINITY } else { weight }
        })
        .collect();
    for middle in 0..nodes {
        let before = distances.clone();
        trace.snapshot();
        for from in 0..nodes {
            for to in 0..nodes {
                let distance = before[from * nodes + middle] + before[middle * nodes + to];
                if distance < distances[from * nodes + to] {
                    distances[from * nodes + to] = distance;
                    let pointer = trace.index(middle * nodes + to);
                    trace.set(from * nodes + to, pointer);
                }
            }
        }
    }
    trace
}
