//! The checker: decides whether an answer is correct, with other algorithms than the solver's.
//!
//! If several answers solve the problem, the benchmark's rule for choosing one is stated without its algorithm and
//! checked directly. If the benchmark leaves the choice among equal keys to an unstable sort, every choice is correct.

mod connectivity;
mod dynamic;
mod geometry;
mod greedy;
mod paths;
mod searching;
mod spanning;
mod traversal;

use crate::input::Input;
use crate::published::{Algorithm, Layout, Row};

/// Checks that `answer` is correct.
///
/// # Errors
/// Why it is not.
pub fn check(row: &Row, input: &Input, answer: &str) -> Result<(), String> {
    use Algorithm as A;
    let given = crate::answer::read(answer, row, entries(row, input))?;
    let whole: Vec<i64> = given.iter().map(|entry| *entry as i64).collect();
    match (row.algorithm, input) {
        (A::InsertionSort | A::BubbleSort | A::Heapsort | A::Quicksort, Input::Keys(keys)) => {
            searching::sorted(keys, &given)
        }
        (A::Minimum, Input::Keys(keys)) => searching::minimum(keys, whole[0]),
        (A::Quickselect, Input::Keys(keys)) => searching::median(keys, whole[0]),
        (A::FindMaximumSubarrayKadane, Input::Keys(keys)) => searching::maximum_subarray(keys, whole[0], whole[1]),
        (A::BinarySearch, Input::Search { keys, target }) => searching::position(keys, *target, whole[0]),
        (A::NaiveStringMatcher | A::KmpMatcher, Input::Strings { first, second }) => {
            searching::occurrence(first, second, whole[0])
        }
        (A::LcsLength, Input::Strings { first, second }) => dynamic::subsequence(first, second, &whole),
        (A::MatrixChainOrder, Input::Keys(dimensions)) => dynamic::splits(dimensions, &whole),
        (A::OptimalBst, Input::Pair(keys, gaps)) => dynamic::roots(keys, gaps, &whole),
        (A::ActivitySelector, Input::Pair(starts, finishes)) => greedy::activities(starts, finishes, &whole),
        (A::TaskScheduling, Input::Pair(deadlines, weights)) => greedy::tasks(deadlines, weights, &whole),
        (A::SegmentsIntersect, Input::Pair(x, y)) => geometry::segments(x, y, whole[0]),
        (A::GrahamScan | A::JarvisMarch, Input::Pair(x, y)) => geometry::hull(row.algorithm, x, y, &whole),
        (A::Dfs, Input::Graph(graph)) => traversal::depth_first(graph, &whole),
        (A::Bfs, Input::Graph(graph)) => traversal::breadth_first(graph, &whole),
        (A::TopologicalSort, Input::Graph(graph)) => traversal::topological(graph, &whole),
        (A::StronglyConnectedComponents, Input::Graph(graph)) => traversal::components(graph, &whole),
        (A::ArticulationPoints, Input::Graph(graph)) => connectivity::cut_nodes(graph, &whole),
        (A::Bridges, Input::Graph(graph)) => connectivity::cut_edges(graph, &whole),
        (A::MstKruskal, Input::Graph(graph)) => spanning::edges(graph, &whole),
        (A::MstPrim, Input::Graph(graph)) => spanning::tree(graph, &whole),
        (A::BellmanFord, Input::Graph(graph)) => paths::by_rounds(graph, &whole),
        (A::Dijkstra, Input::Graph(graph)) => paths::by_distance(graph, &whole),
        (A::DagShortestPaths, Input::Graph(graph)) => paths::by_order(graph, &whole),
        (A::FloydWarshall, Input::Graph(graph)) => paths::all_pairs(graph, &whole),
        _ => Err(format!("{} was given an input of another form", row.name)),
    }
}

/// Number of keys, letters, points or nodes of an input.
pub fn size(input: &Input) -> usize {
    match input {
        Input::Keys(keys) | Input::Search { keys, .. } => keys.len(),
        Input::Pair(_, second) => second.len(),
        Input::Strings { first, second } => first.len() + second.len(),
        Input::Graph(graph) => graph.nodes,
    }
}

/// Number of entries of an answer.
pub fn entries(row: &Row, input: &Input) -> usize {
    let nodes = size(input);
    match row.layout {
        Layout::Numbers(count) => count,
        Layout::Vector | Layout::Keys => nodes,
        Layout::VectorAndNode => nodes + 1,
        Layout::Matrix => nodes * nodes,
    }
}

/// Compares entries with the expected ones.
fn compare(expected: &[i64], given: &[i64]) -> Result<(), String> {
    match expected.iter().zip(given).position(|(expected, given)| expected != given) {
        None => Ok(()),
        Some(place) => Err(format!("entry {}: expected {}, found {}", place + 1, expected[place], given[place])),
    }
}

/// Whether two numbers are equal up to rounding.
fn close(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() <= 1e-9 * (1.0 + left.abs().max(right.abs()))
}
