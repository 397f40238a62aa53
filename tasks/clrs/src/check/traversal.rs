//! Checks of traversals.

use super::compare;
use crate::input::Graph;

/// Nodes with their predecessors in the order in which a depth-first search enters them: every edge goes on one stack,
/// and the latest edge to a new node is followed.
fn entered(graph: &Graph) -> Vec<(usize, usize)> {
    let mut order = Vec::with_capacity(graph.nodes);
    let mut seen = vec![false; graph.nodes];
    let mut stack: Vec<(usize, usize)> = (0..graph.nodes).rev().map(|node| (node, node)).collect();
    while let Some((node, parent)) = stack.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        order.push((node, parent));
        stack.extend((0..graph.nodes).rev().filter(|next| graph.has(node, *next)).map(|next| (next, node)));
    }
    order
}

/// Predecessors of a depth-first search.
pub fn depth_first(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let mut expected = vec![0; graph.nodes];
    entered(graph).into_iter().for_each(|(node, parent)| expected[node] = parent as i64);
    compare(&expected, given)
}

/// Predecessors of a breadth-first search: the lowest neighbour that is one edge closer to the source.
pub fn breadth_first(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let mut distances = vec![usize::MAX; graph.nodes];
    distances[graph.source] = 0;
    let mut queue = std::collections::VecDeque::from([graph.source]);
    while let Some(node) = queue.pop_front() {
        for next in graph.successors(node) {
            if distances[next] == usize::MAX {
                distances[next] = distances[node] + 1;
                queue.push_back(next);
            }
        }
    }
    let parent = |node: usize| match distances[node] {
        0 | usize::MAX => node,
        distance => {
            (0..graph.nodes).find(|from| distances[*from] == distance - 1 && graph.has(*from, node)).unwrap_or(node)
        }
    };
    compare(&(0..graph.nodes).map(|node| parent(node) as i64).collect::<Vec<_>>(), given)
}

/// The order in which a depth-first search of an acyclic graph from `roots` finishes nodes. A search from a node
/// finishes what the searches from its successors finish, without repetition, and then the node itself.
pub fn finished(graph: &Graph, roots: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut known: Vec<Option<Vec<usize>>> = vec![None; graph.nodes];
    let append = |list: &mut Vec<usize>, more: &[usize]| {
        let new: Vec<usize> = more.iter().copied().filter(|node| !list.contains(node)).collect();
        list.extend(new);
    };
    // Each round completes at least the nodes whose successors are all complete.
    while known.contains(&None) {
        let mut progress = false;
        for node in 0..graph.nodes {
            let complete = graph.successors(node).all(|next| known[next].is_some());
            if known[node].is_some() || !complete {
                continue;
            }
            let mut list = Vec::new();
            for next in graph.successors(node) {
                append(&mut list, known[next].as_deref().unwrap_or_default());
            }
            list.push(node);
            known[node] = Some(list);
            progress = true;
        }
        if !progress {
            break;
        }
    }
    let mut order = Vec::new();
    roots.for_each(|root| append(&mut order, known[root].as_deref().unwrap_or_default()));
    order
}

/// A topological order as a linked list and its head: every edge leads forward, and the order is the reverse of the one
/// in which a depth-first search finishes.
pub fn topological(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let (links, head) = given.split_at(graph.nodes);
    let mut places = vec![usize::MAX; graph.nodes];
    let mut node = head[0];
    for place in 0..graph.nodes {
        let Some(index) = usize::try_from(node).ok().filter(|index| places.get(*index) == Some(&usize::MAX)) else {
            return Err(format!("place {} of the order: {node} is no node that is still missing", place + 1));
        };
        places[index] = place;
        node = links[index];
    }
    for from in 0..graph.nodes {
        if let Some(to) = graph.successors(from).find(|to| places[*to] < places[from]) {
            return Err(format!("the edge from {from} to {to} leads backwards"));
        }
    }
    let mut expected: Vec<i64> = (0..graph.nodes as i64).collect();
    let order = finished(graph, 0..graph.nodes);
    order.windows(2).for_each(|pair| expected[pair[1]] = pair[0] as i64);
    expected.push(order.last().map_or(0, |node| *node as i64));
    compare(&expected, given)
}

/// Strongly connected components: nodes that reach each other, named after the node that a depth-first search enters
/// first.
pub fn components(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let nodes = graph.nodes;
    let mut reach: Vec<Vec<bool>> =
        (0..nodes).map(|from| (0..nodes).map(|to| from == to || graph.has(from, to)).collect()).collect();
    for middle in 0..nodes {
        let through = reach[middle].clone();
        for line in reach.iter_mut().filter(|line| line[middle]) {
            line.iter_mut().zip(&through).for_each(|(reached, further)| *reached |= further);
        }
    }
    let order = entered(graph);
    let name = |node: usize| {
        let same = |other: &&(usize, usize)| reach[node][other.0] && reach[other.0][node];
        order.iter().find(same).map_or(node, |other| other.0)
    };
    compare(&(0..nodes).map(|node| name(node) as i64).collect::<Vec<_>>(), given)
}
