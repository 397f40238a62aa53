//! The algorithms as the benchmark runs them: every answer comes with the step that settled each of its entries.
//!
//! A step ends where the benchmark takes a snapshot of its state.

mod connectivity;
mod dynamic;
mod geometry;
mod greedy;
mod paths;
mod searching;
mod sorting;
mod spanning;
mod strings;
mod traversal;

use haltbench_sdk::{Error, Result};

use crate::input::Input;
use crate::published::Algorithm;
use crate::trace::Trace;

/// Runs an algorithm on an input of its form.
///
/// # Errors
/// [`Error::Malformed`] if the algorithm itself has no answer; [`Error::Contract`] for an input in another form.
pub fn solve(algorithm: Algorithm, input: &Input) -> Result<Trace> {
    use Algorithm as A;
    let trace = match (algorithm, input) {
        (A::InsertionSort, Input::Keys(keys)) => sorting::insertion_sort(keys),
        (A::BubbleSort, Input::Keys(keys)) => sorting::bubble_sort(keys),
        (A::Heapsort, Input::Keys(keys)) => sorting::heapsort(keys),
        (A::Quicksort, Input::Keys(keys)) => sorting::quicksort(keys),
        (A::Minimum, Input::Keys(keys)) => searching::minimum(keys),
        (A::Quickselect, Input::Keys(keys)) => searching::quickselect(keys),
        (A::FindMaximumSubarrayKadane, Input::Keys(keys)) => searching::maximum_subarray(keys),
        (A::BinarySearch, Input::Search { keys, target }) => searching::binary_search(keys, *target),
        (A::MatrixChainOrder, Input::Keys(dimensions)) => dynamic::matrix_chain_order(dimensions),
        (A::OptimalBst, Input::Pair(keys, gaps)) => dynamic::optimal_bst(keys, gaps),
        (A::LcsLength, Input::Strings { first, second }) => dynamic::lcs_length(first, second),
        (A::NaiveStringMatcher, Input::Strings { first, second }) => strings::naive(first, second),
        (A::KmpMatcher, Input::Strings { first, second }) => strings::knuth_morris_pratt(first, second),
        (A::ActivitySelector, Input::Pair(starts, finishes)) => greedy::activity_selector(starts, finishes),
        (A::TaskScheduling, Input::Pair(deadlines, weights)) => greedy::task_scheduling(deadlines, weights),
        (A::SegmentsIntersect, Input::Pair(x, y)) => geometry::segments_intersect(x, y),
        (A::GrahamScan, Input::Pair(x, y)) => geometry::graham_scan(x, y)?,
        (A::JarvisMarch, Input::Pair(x, y)) => geometry::jarvis_march(x, y),
        (A::Dfs, Input::Graph(graph)) => traversal::depth_first_search(graph),
        (A::Bfs, Input::Graph(graph)) => traversal::breadth_first_search(graph),
        (A::TopologicalSort, Input::Graph(graph)) => traversal::topological_sort(graph),
        (A::StronglyConnectedComponents, Input::Graph(graph)) => traversal::strong_components(graph),
        (A::ArticulationPoints, Input::Graph(graph)) => connectivity::articulation_points(graph),
        (A::Bridges, Input::Graph(graph)) => connectivity::bridges(graph),
        (A::MstKruskal, Input::Graph(graph)) => spanning::kruskal(graph),
        (A::MstPrim, Input::Graph(graph)) => spanning::prim(graph),
        (A::BellmanFord, Input::Graph(graph)) => paths::bellman_ford(graph),
        (A::Dijkstra, Input::Graph(graph)) => paths::dijkstra(graph),
        (A::DagShortestPaths, Input::Graph(graph)) => paths::acyclic(graph),
        (A::FloydWarshall, Input::Graph(graph)) => paths::floyd_warshall(graph),
        _ => {
            return Err(Error::contract(
                "clrs",
                format!("{} was given an input of another form", algorithm.row().name),
            ));
        }
    };
    Ok(trace)
}
