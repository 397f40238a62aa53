//! Inputs drawn from the benchmark's distributions, truncated to three decimals.

use haltbench_sdk::random::Stream;
use haltbench_sdk::{Error, Result};

use crate::input::{Graph, Input};
use crate::published::Algorithm;

/// Number of letters in strings.
const LETTERS: u64 = 4;
/// Probability of an edge in most graphs; undirected graphs keep an edge that is drawn in both directions.
const DENSE: f64 = 0.5;
/// The same in graphs for which bridges and the like are searched.
const SPARSE: f64 = 0.2;
/// Radius of the disk of points.
const RADIUS: f64 = 2.0;
/// Draws of points before the benchmark gives up finding points without three in a line.
const ATTEMPTS: usize = 1000;
/// Parts of a graph with several strongly connected components, and the probability that a pair is toggled.
const COMMUNITIES: usize = 4;
const TOGGLED: f64 = 0.01;

/// Draws an input of `size` for an algorithm.
///
/// # Errors
/// If no points in general position are found, which only happens at sizes far beyond the published ones.
pub fn sample(algorithm: Algorithm, size: usize, stream: &mut Stream) -> Result<Input> {
    use Algorithm as A;
    Ok(match algorithm {
        A::InsertionSort
        | A::BubbleSort
        | A::Heapsort
        | A::Quicksort
        | A::Quickselect
        | A::Minimum
        | A::MatrixChainOrder => Input::Keys(numbers(size, 0.0, 1.0, stream)),
        A::FindMaximumSubarrayKadane => Input::Keys(numbers(size, -1.0, 1.0, stream)),
        A::BinarySearch => {
            let mut keys = numbers(size, 0.0, 1.0, stream);
            keys.sort_unstable_by(f64::total_cmp);
            Input::Search { keys, target: truncate(stream.uniform()) }
        }
        A::OptimalBst => probabilities(size, stream),
        A::LcsLength => strings(size - size / 2, size / 2, stream),
        A::NaiveStringMatcher | A::KmpMatcher => needle(size, stream),
        A::ActivitySelector => {
            let (first, second) = (numbers(size, 0.0, 1.0, stream), numbers(size, 0.0, 1.0, stream));
            let paired = || first.iter().zip(&second);
            Input::Pair(paired().map(|(a, b)| a.min(*b)).collect(), paired().map(|(a, b)| a.max(*b)).collect())
        }
        A::TaskScheduling => {
            let deadlines = (0..size).map(|_| (stream.below(size as u64) + 1) as f64).collect();
            Input::Pair(deadlines, numbers(size, 0.0, 1.0, stream))
        }
        A::SegmentsIntersect => segments(stream),
        A::GrahamScan | A::JarvisMarch => points(size, stream)?,
        A::Dfs => graph(directed(size, DENSE, stream)),
        A::Bfs => sourced(undirected(size, DENSE, stream), stream),
        A::TopologicalSort => graph(acyclic(size, DENSE, stream)),
        A::ArticulationPoints | A::Bridges => graph(undirected(size, SPARSE, stream)),
        A::StronglyConnectedComponents => graph(communities(size, stream)),
        A::MstKruskal => graph(weighted_undirected(size, SPARSE, stream)),
        A::FloydWarshall => graph(weighted_undirected(size, DENSE, stream)),
        A::MstPrim | A::BellmanFord | A::Dijkstra => sourced(weighted_undirected(size, DENSE, stream), stream),
        A::DagShortestPaths => {
            let mut weights = acyclic(size, DENSE, stream);
            weights.iter_mut().filter(|weight| **weight != 0.0).for_each(|weight| *weight = truncate(stream.uniform()));
            sourced(weights, stream)
        }
    })
}

/// Truncates to three decimals, towards 0.
fn truncate(number: f64) -> f64 {
    (number * 1000.0).trunc() / 1000.0
}

fn between(low: f64, high: f64, stream: &mut Stream) -> f64 {
    low + (high - low) * stream.uniform()
}

fn numbers(count: usize, low: f64, high: f64, stream: &mut Stream) -> Vec<f64> {
    (0..count).map(|_| truncate(between(low, high, stream))).collect()
}

fn letters(count: usize, stream: &mut Stream) -> Vec<u8> {
    (0..count).map(|_| stream.below(LETTERS) as u8).collect()
}

fn strings(first: usize, second: usize, stream: &mut Stream) -> Input {
    Input::Strings { first: letters(first, stream), second: letters(second, stream) }
}

/// A needle with a fifth of all letters, somewhere in the haystack but not at its end.
fn needle(size: usize, stream: &mut Stream) -> Input {
    let length = (size / 5).max(1);
    let needle = letters(length, stream);
    let mut haystack = letters(size - length, stream);
    let place = stream.below((haystack.len() - length) as u64) as usize;
    haystack[place..place + length].copy_from_slice(&needle);
    Input::Strings { first: haystack, second: needle }
}

/// Probabilities of keys and of the gaps around them.
fn probabilities(size: usize, stream: &mut Stream) -> Input {
    let drawn: Vec<f64> = (0..2 * size + 1).map(|_| stream.uniform()).collect();
    let total: f64 = drawn.iter().sum();
    let share = |number: &f64| truncate(number / total);
    let keys = drawn[..size].iter().map(share).chain([0.0]).collect();
    Input::Pair(keys, drawn[size..].iter().map(share).collect())
}

/// Two segments, which meet in half of the draws. They are drawn with all decimals and truncated afterwards.
fn segments(stream: &mut Stream) -> Input {
    let meet = stream.below(2) == 1;
    loop {
        let mut draw = || [(); 4].map(|()| stream.uniform());
        let (x, y) = (draw(), draw());
        let left = |a: usize, b: usize, c: usize| (y[c] - y[a]) * (x[b] - x[a]) > (y[b] - y[a]) * (x[c] - x[a]);
        if ((left(0, 2, 3) != left(1, 2, 3)) && (left(0, 1, 2) != left(0, 1, 3))) == meet {
            return Input::Pair(x.map(truncate).to_vec(), y.map(truncate).to_vec());
        }
    }
}

/// Points in a disk without three in a line.
fn points(size: usize, stream: &mut Stream) -> Result<Input> {
    for _ in 0..ATTEMPTS {
        let angles: Vec<f64> = (0..size).map(|_| between(0.0, std::f64::consts::TAU, stream)).collect();
        let radii: Vec<f64> = (0..size).map(|_| RADIUS * stream.uniform().sqrt()).collect();
        let polar = || radii.iter().zip(&angles);
        let x: Vec<f64> = polar().map(|(radius, angle)| truncate(radius * angle.cos())).collect();
        let y: Vec<f64> = polar().map(|(radius, angle)| truncate(radius * angle.sin())).collect();
        if in_general_position(&x, &y) {
            return Ok(Input::Pair(x, y));
        }
    }
    Err(Error::invalid("size of clrs", "points of which no three are in a line", size))
}

fn in_general_position(x: &[f64], y: &[f64]) -> bool {
    let thousandths =
        |numbers: &[f64]| numbers.iter().map(|number| (number * 1000.0).round() as i64).collect::<Vec<_>>();
    let (x, y) = (thousandths(x), thousandths(y));
    (0..x.len()).all(|a| {
        (a + 1..x.len()).all(|b| {
            let (dx, dy) = (x[b] - x[a], y[b] - y[a]);
            (b + 1..x.len()).all(|c| dx * (y[c] - y[a]) != dy * (x[c] - x[a]))
        })
    })
}

fn chance(probability: f64, stream: &mut Stream) -> bool {
    stream.uniform() < probability
}

fn directed(size: usize, probability: f64, stream: &mut Stream) -> Vec<f64> {
    (0..size * size).map(|_| f64::from(u8::from(chance(probability, stream)))).collect()
}

/// There is an edge between two nodes, or a loop, if both of its directions are drawn.
fn undirected(size: usize, probability: f64, stream: &mut Stream) -> Vec<f64> {
    let drawn = directed(size, probability, stream);
    (0..size * size).map(|cell| drawn[cell] * drawn[cell % size * size + cell / size]).collect()
}

/// Weights are the geometric means of both directions' weights, moved away from 0.
fn weighted_undirected(size: usize, probability: f64, stream: &mut Stream) -> Vec<f64> {
    let mut weights = undirected(size, probability, stream);
    for from in 0..size {
        for to in from..size {
            let first = stream.uniform();
            let second = if from == to { first } else { stream.uniform() };
            let weight = truncate(weights[from * size + to] * (first * second + 1e-3).sqrt());
            weights[from * size + to] = weight;
            weights[to * size + from] = weight;
        }
    }
    weights
}

/// Edges lead upwards in a random order of the nodes.
fn acyclic(size: usize, probability: f64, stream: &mut Stream) -> Vec<f64> {
    let mut drawn = directed(size, probability, stream);
    for from in 0..size {
        drawn[from * size..=from * size + from].fill(0.0);
    }
    renamed(&drawn, size, stream)
}

/// Dense parts with few edges from one part to a later one; some pairs within parts are also toggled.
fn communities(size: usize, stream: &mut Stream) -> Vec<f64> {
    let part = |node: usize| (node / (size / COMMUNITIES)).min(COMMUNITIES - 1);
    let mut weights = vec![0.0; size * size];
    for (cell, weight) in weights.iter_mut().enumerate() {
        let (from, to) = (part(cell / size), part(cell % size));
        let edge = from == to && chance(DENSE, stream);
        let toggled = chance(TOGGLED, stream) && from <= to;
        *weight = f64::from(u8::from(edge != toggled));
    }
    renamed(&weights, size, stream)
}

/// The graph with its nodes in random order.
fn renamed(weights: &[f64], size: usize, stream: &mut Stream) -> Vec<f64> {
    let mut order: Vec<usize> = (0..size).collect();
    stream.shuffle(&mut order);
    (0..size * size).map(|cell| weights[order[cell / size] * size + order[cell % size]]).collect()
}

fn graph(weights: Vec<f64>) -> Input {
    Input::Graph(Graph { nodes: weights.len().isqrt(), weights, source: 0 })
}

fn sourced(weights: Vec<f64>, stream: &mut Stream) -> Input {
    let nodes = weights.len().isqrt();
    let source = stream.below(nodes as u64) as usize;
    Input::Graph(Graph { nodes, weights, source })
}
