//! Articulation points and bridges of an undirected graph, by depth-first search.

use crate::input::Graph;
use crate::solve::traversal::{Event, search};
use crate::trace::Trace;

/// Discovery times, and the earliest discovery time that a subtree has an edge to.
struct Lowpoints {
    parents: Vec<usize>,
    discovered: Vec<u32>,
    lowest: Vec<u32>,
    time: u32,
}

impl Lowpoints {
    fn new(nodes: usize) -> Self {
        Self { parents: (0..nodes).collect(), discovered: vec![0; nodes], lowest: vec![0; nodes], time: 0 }
    }

    /// Follows the search; returns whether the event is a step.
    fn follow(&mut self, event: Event) -> bool {
        match event {
            Event::Start(_) => {}
            Event::Enter { node, .. } => {
                self.time += 1;
                self.discovered[node] = self.time;
                self.lowest[node] = self.time;
            }
            Event::Discover { parent, node } => self.parents[node] = parent,
            Event::Known { from, to } => {
                if to == self.parents[from] {
                    return false;
                }
                self.lowest[from] = self.lowest[from].min(self.discovered[to]);
            }
            Event::Finish(node) => {
                self.time += 1;
                for child in self.children(node) {
                    self.lowest[node] = self.lowest[node].min(self.lowest[child]);
                }
            }
        }
        true
    }

    fn children(&self, node: usize) -> Vec<usize> {
        (0..self.parents.len()).filter(|child| *child != node && self.parents[*child] == node).collect()
    }
}

/// The nodes that are articulation points. One step per event, except edges back to the parent.
pub fn articulation_points(graph: &Graph) -> Trace {
    let mut trace = Trace::new(vec![0; graph.nodes]);
    let mut points = Lowpoints::new(graph.nodes);
    search(graph, 0..graph.nodes, |event| {
        let step = points.follow(event);
        if let Event::Finish(node) = event {
            let children = points.children(node);
            let root = points.parents[node] == node;
            let cut = |child: &usize| points.lowest[*child] >= points.discovered[node];
            if if root { children.len() > 1 } else { children.iter().any(cut) } {
                trace.set(node, 1);
            }
        }
        if step {
            trace.snapshot();
        }
    });
    trace
}

/// The edges that are bridges, as a matrix: 1 for a bridge, 0 for another edge and on the diagonal, -1 for no edge. One
/// step per event, except edges back to the parent.
pub fn bridges(graph: &Graph) -> Trace {
    let nodes = graph.nodes;
    let kind = |cell: usize| if cell / nodes == cell % nodes || graph.weights[cell] != 0.0 { 0 } else { -1 };
    let mut trace = Trace::new((0..nodes * nodes).map(kind).collect());
    let mut points = Lowpoints::new(nodes);
    search(graph, 0..nodes, |event| {
        let step = points.follow(event);
        if let Event::Finish(node) = event {
            for child in points.children(node) {
                if points.lowest[child] > points.discovered[node] {
                    trace.set(node * nodes + child, 1);
                    trace.set(child * nodes + node, 1);
                }
            }
        }
        if step {
            trace.snapshot();
        }
    });
    trace
}
