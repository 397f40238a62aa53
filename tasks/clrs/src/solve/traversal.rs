//! Traversals of directed graphs. Successors are always tried in ascending order.

use crate::input::Graph;
use crate::trace::Trace;

/// An event of a depth-first search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A search starts from a node.
    Start(usize),
    /// A node is entered for the first time; `root` if the search starts from it.
    Enter {
        /// The node.
        node: usize,
        /// Whether it is a root.
        root: bool,
    },
    /// An edge leads to a new node.
    Discover {
        /// Start of the edge.
        parent: usize,
        /// The new node.
        node: usize,
    },
    /// An edge leads to a known node; reported again whenever the search returns to `from`.
    Known {
        /// Start of the edge.
        from: usize,
        /// End of the edge.
        to: usize,
    },
    /// All edges of a node have been followed.
    Finish(usize),
}

/// Depth-first search from each of `roots` that is still new, without recursion.
pub fn search(graph: &Graph, roots: impl IntoIterator<Item = usize>, mut visit: impl FnMut(Event)) {
    let mut seen = vec![false; graph.nodes];
    let mut stack = Vec::new();
    for root in roots {
        if seen[root] {
            continue;
        }
        visit(Event::Start(root));
        visit(Event::Enter { node: root, root: true });
        seen[root] = true;
        stack.push(root);
        'nodes: while let Some(parent) = stack.last().copied() {
            for node in graph.successors(parent) {
                if !seen[node] {
                    seen[node] = true;
                    visit(Event::Discover { parent, node });
                    visit(Event::Enter { node, root: false });
                    stack.push(node);
                    continue 'nodes;
                }
                visit(Event::Known { from: parent, to: node });
            }
            visit(Event::Finish(parent));
            stack.pop();
        }
    }
}

/// Predecessors of a depth-first search; roots point at themselves. One step per event, except known nodes.
pub fn depth_first_search(graph: &Graph) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    search(graph, 0..graph.nodes, |event| {
        if let Event::Discover { parent, node } = event {
            trace.set(node, parent);
        }
        if !matches!(event, Event::Known { .. }) {
            trace.snapshot();
        }
    });
    trace
}

/// Predecessors of a breadth-first search, the lowest index among the nodes of the previous layer; the source and
/// unreachable nodes point at themselves. One step per layer.
pub fn breadth_first_search(graph: &Graph) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    let mut reached = vec![false; graph.nodes];
    reached[graph.source] = true;
    loop {
        let before = reached.clone();
        trace.snapshot();
        for from in (0..graph.nodes).filter(|node| before[*node]) {
            for to in graph.successors(from) {
                if !reached[to] {
                    trace.set(to, from);
                    reached[to] = true;
                }
            }
        }
        if reached == before {
            return trace;
        }
    }
}

/// A topological order as a linked list: the next node of each node, where the last one points at itself; then the
/// head. It is the reverse of the order in which a depth-first search finishes. One step per event, except known nodes.
pub fn topological_sort(graph: &Graph) -> Trace {
    let mut trace = Trace::new((0..graph.nodes as i32).chain([0]).collect());
    let mut head = None;
    search(graph, 0..graph.nodes, |event| {
        if let Event::Finish(node) = event {
            if let Some(head) = head {
                trace.set(node, head);
            }
            head = Some(node);
            trace.set(graph.nodes, node);
        }
        // Nodes that an edge discovers are entered within the same step.
        if !matches!(event, Event::Known { .. } | Event::Enter { root: false, .. }) {
            trace.snapshot();
        }
    });
    trace
}

/// Strongly connected components by two searches (Kosaraju): for each node the node of its component that the first
/// search finishes last. One step per event, except known nodes; the second search enters nodes when it discovers them.
pub fn strong_components(graph: &Graph) -> Trace {
    let mut trace = Trace::pointers(graph.nodes);
    let mut finished = Vec::with_capacity(graph.nodes);
    search(graph, 0..graph.nodes, |event| {
        if let Event::Finish(node) = event {
            finished.push(node);
        }
        if !matches!(event, Event::Known { .. }) {
            trace.snapshot();
        }
    });
    let mut component = 0;
    search(&graph.reversed(), finished.into_iter().rev(), |event| {
        match event {
            Event::Start(root) => component = root,
            Event::Enter { node, .. } => trace.set(node, component),
            _ => {}
        }
        if !matches!(event, Event::Known { .. } | Event::Enter { root: false, .. }) {
            trace.snapshot();
        }
    });
    trace
}
