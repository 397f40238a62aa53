//! Checks of shortest paths.
//!
//! Sums along a path are rounded from its start on, and rounding is monotonic, so the least rounded sum satisfies the
//! equations of shortest paths exactly: one method finds distances, and predecessors follow from the rule alone.

use super::traversal::finished;
use super::{close, compare};
use crate::input::Graph;

/// Row k has the distances from the source over at most k edges; rows end when they no longer change.
fn rounds(graph: &Graph, source: usize) -> Vec<Vec<f64>> {
    let mut start = vec![f64::INFINITY; graph.nodes];
    start[source] = 0.0;
    let mut rounds = vec![start];
    loop {
        let before = &rounds[rounds.len() - 1];
        let arrive = |node: usize| (0..graph.nodes).filter(move |from| graph.has(*from, node));
        let next: Vec<f64> = (0..graph.nodes)
            .map(|node| {
                arrive(node).fold(before[node], |least, from| least.min(before[from] + graph.weight(from, node)))
            })
            .collect();
        if next == *before {
            return rounds;
        }
        rounds.push(next);
    }
}

fn distances(graph: &Graph, source: usize) -> Vec<f64> {
    rounds(graph, source).pop().unwrap_or_default()
}

/// The predecessors of a node on its shortest paths from the source; empty for the source and unreachable nodes.
fn tight<'a>(graph: &'a Graph, distances: &'a [f64], node: usize) -> impl Iterator<Item = usize> + 'a {
    let reached = node != graph.source && distances[node].is_finite();
    (0..graph.nodes).filter(move |from| {
        reached && graph.has(*from, node) && distances[*from] + graph.weight(*from, node) == distances[node]
    })
}

/// Bellman-Ford: the lowest predecessor that offers the distance in the round in which the node first has it.
pub fn by_rounds(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let rounds = rounds(graph, graph.source);
    let last = &rounds[rounds.len() - 1];
    let parent = |node: usize| {
        let reached = rounds.iter().position(|round| round[node] == last[node]).unwrap_or_default();
        let before = &rounds[reached.saturating_sub(1)];
        let offers = |from: &usize| before[*from] + graph.weight(*from, node) == last[node];
        tight(graph, last, node).find(offers).unwrap_or(node)
    };
    compare(&(0..graph.nodes).map(|node| parent(node) as i64).collect::<Vec<_>>(), given)
}

/// Dijkstra: the nearest predecessor, with any choice among ties.
pub fn by_distance(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let distances = distances(graph, graph.source);
    for (node, entry) in given.iter().enumerate() {
        let nearest = tight(graph, &distances, node).map(|from| distances[from]).fold(f64::INFINITY, f64::min);
        let mut parents = tight(graph, &distances, node).filter(|from| distances[*from] == nearest);
        if nearest.is_infinite() {
            compare(&[node as i64], &[*entry])?;
        } else if !parents.any(|from| from as i64 == *entry) {
            return Err(format!("entry {}: {entry} is not the nearest predecessor on a shortest path", node + 1));
        }
    }
    Ok(())
}

/// Acyclic graphs: the predecessor that is relaxed first.
pub fn by_order(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let distances = distances(graph, graph.source);
    let order = finished(graph, std::iter::once(graph.source));
    let place = |node: &usize| order.iter().rev().position(|other| other == node);
    let parent = |node: usize| tight(graph, &distances, node).min_by_key(place).unwrap_or(node);
    compare(&(0..graph.nodes).map(|node| parent(node) as i64).collect::<Vec<_>>(), given)
}

/// All pairs: predecessors must be on shortest paths according to single-source distances. Ties go to the one that
/// Floyd's recursion over the highest intermediate node finds first.
pub fn all_pairs(graph: &Graph, given: &[i64]) -> Result<(), String> {
    let nodes = graph.nodes;
    for from in 0..nodes {
        let distances = distances(graph, from);
        for to in 0..nodes {
            let way = |last: usize| distances[last] + graph.weight(last, to);
            let arrive = || (0..nodes).filter(|last| graph.has(*last, to));
            let least = arrive().map(way).fold(f64::INFINITY, f64::min);
            let stays = from == to && !graph.has(from, from);
            let entry = given[from * nodes + to];
            let right = match arrive().find(|last| *last as i64 == entry) {
                _ if stays || least.is_infinite() => entry == from as i64,
                Some(last) => close(way(last), least),
                None => false,
            };
            if !right {
                return Err(format!("from {from} to {to}: {entry} is not on a shortest path"));
            }
        }
    }
    compare(&recursion(graph), given)
}

/// Floyd's table by columns: the best path to each node over the intermediate nodes allowed so far.
fn recursion(graph: &Graph) -> Vec<i64> {
    let nodes = graph.nodes;
    let start = |from: usize, to: usize| {
        let known = from == to || graph.has(from, to);
        known.then(|| (graph.weight(from, to), from))
    };
    let mut columns: Vec<Vec<Option<(f64, usize)>>> =
        (0..nodes).map(|to| (0..nodes).map(|from| start(from, to)).collect()).collect();
    for middle in 0..nodes {
        let arriving = columns[middle].clone();
        for column in &mut columns {
            let Some((onwards, last)) = column[middle] else { continue };
            for (from, entry) in column.iter_mut().enumerate() {
                let Some((distance, _)) = arriving[from] else { continue };
                if entry.is_none_or(|(known, _)| distance + onwards < known) {
                    *entry = Some((distance + onwards, last));
                }
            }
        }
    }
    let cells = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    cells.map(|(from, to)| columns[to][from].map_or(from, |(_, last)| last) as i64).collect()
}
