//! The generator's samples against exact distributions, and against moments of an independent implementation of the
//! released generator.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use super::{canonical, column, configured, draw, released, spelled, text, values};

/// Probabilities of the sizes, from 3 on.
fn size_law(largest: usize) -> Vec<f64> {
    let weight = |size: usize| 1.0 / (size as f64 + (largest as f64).sqrt());
    let total: f64 = (3..=largest).map(weight).sum();
    (3..=largest).map(|size| weight(size) / total).collect()
}

/// Mean and standard deviation of the size.
fn size_moments(law: &[f64]) -> (f64, f64) {
    let sizes = || (3..).map(|size: u32| f64::from(size)).zip(law);
    let mean: f64 = sizes().map(|(size, p)| size * p).sum();
    (mean, sizes().map(|(size, p)| (size - mean).powi(2) * p).sum::<f64>().sqrt())
}

/// Largest size, mean, deviation, median, and the probabilities of the smallest and the largest size.
const SIZE_LAWS: [(usize, f64, f64, usize, f64, f64); 12] = [
    (375, 109.54, 101.21, 74, 0.01545, 0.000876),
    (300, 90.08, 81.22, 62, 0.01774, 0.001136),
    (225, 70.10, 61.12, 50, 0.02120, 0.001590),
    (125, 42.26, 34.08, 32, 0.03064, 0.003191),
    (110, 37.91, 30.00, 29, 0.03323, 0.003719),
    (100, 34.97, 27.26, 27, 0.03530, 0.004172),
    (90, 32.00, 24.52, 25, 0.03776, 0.004739),
    (75, 27.48, 20.41, 22, 0.04246, 0.005917),
    (70, 25.95, 19.03, 21, 0.04439, 0.006439),
    (50, 19.69, 13.50, 16, 0.05535, 0.009768),
    (40, 16.45, 10.72, 14, 0.06428, 0.012939),
    (30, 13.12, 7.93, 11, 0.07835, 0.018721),
];

#[test]
fn the_law_of_sizes_has_the_known_values() {
    for (largest, mean, deviation, median, first, last) in SIZE_LAWS {
        let law = size_law(largest);
        let moments = size_moments(&law);
        assert!((moments.0 - mean).abs() < 0.006 && (moments.1 - deviation).abs() < 0.006, "{largest}: {moments:?}");
        let mut sum = 0.0;
        let below = law.iter().take_while(|p| {
            sum += **p;
            sum < 0.5
        });
        assert_eq!(3 + below.count(), median, "{largest}");
        assert!((law[0] - first).abs() < 6e-6 && (law[largest - 3] - last).abs() < 6e-7, "{largest}");
    }
}

#[test]
fn released_sizes_have_the_known_mean_and_share_of_the_smallest() {
    let count = 3000;
    for (largest, mean, deviation, median, first, _) in SIZE_LAWS {
        let task =
            configured(&[("size_law", text("released")), ("maximum_nodes", Value::Integer(largest as i64))]).unwrap();
        let (mut sizes, mut smallest, mut upper) = (Mean::default(), Mean::default(), Mean::default());
        for seed in 0..count {
            let size = f64::from(task.training_size(&mut Stream::new(seed, "size", &[])));
            sizes.add(size);
            smallest.add(f64::from(u8::from(size == 3.0)));
            upper.add(f64::from(u8::from(size > median as f64)));
        }
        sizes.demand(mean, 0.0, &format!("size up to {largest}"));
        smallest.demand(first, 0.0, &format!("size 3 up to {largest}"));
        assert!(upper.mean() < 0.5 + 2.0 / (count as f64).sqrt(), "{largest}: {}", upper.mean());
        let spread = sizes.error() * (count as f64).sqrt();
        assert!((spread / deviation - 1.0).abs() < 0.1, "{largest}: {spread}");
    }
}

#[test]
fn released_sizes_follow_their_law() {
    let task = configured(&[("size_law", text("released"))]).unwrap();
    let count = 40_000;
    let mut found = BTreeMap::new();
    for seed in 0..count {
        *found.entry(task.training_size(&mut Stream::new(seed, "size", &[])) as usize).or_insert(0.0) += 1.0;
    }
    let law = size_law(30);
    // With 27 degrees of freedom, a larger value has a probability of 1e-5.
    let expected = (3..).zip(&law).map(|(size, p)| (size, p * count as f64));
    let square = |(size, expected): (usize, f64)| (found[&size] - expected).powi(2) / expected;
    let chi_square: f64 = expected.map(square).sum();
    assert!(found.len() == law.len() && chi_square < 71.0, "{chi_square}");
}

/// A mean and its standard error.
#[derive(Default)]
struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn error(&self) -> f64 {
        ((self.squares / self.count - self.mean().powi(2)) / self.count).sqrt()
    }

    fn demand(&self, known: f64, error: f64, name: &str) {
        let (mean, bound) = (self.mean(), 4.0 * self.error().hypot(error));
        assert!((mean - known).abs() <= bound, "{name}: {mean:.4} instead of {known}, at most {bound:.4} off");
    }
}

/// Dependents and predecessors of every node, counted in the text.
fn degrees(instance: &Instance) -> BTreeMap<&str, [usize; 2]> {
    let (edges, _) = instance.question.split_once(" ? ").unwrap();
    let mut degrees: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for edge in edges.split(' ') {
        let (from, to) = edge.split_once('>').unwrap();
        degrees.entry(from).or_default()[0] += 1;
        degrees.entry(to).or_default()[1] += 1;
    }
    degrees
}

const QUANTITIES: [&str; 8] =
    ["tokens", "edges", "answer", "c_first", "height of the query", "leaves", "printed leaves", "hubs"];

/// Quantities of whole sequences, then of nodes, against known values; errors of the latter are below 0.02. `size` is
/// the size of all instances; without it, sizes are drawn as in training.
fn compare(task: &dyn Task, size: Option<u32>, of_sequences: [(f64, f64); 8], of_nodes: [f64; 4]) {
    let mut sequences: [Mean; 8] = Default::default();
    let mut nodes: [Mean; 4] = Default::default();
    for seed in 0..4000 {
        let size = size.unwrap_or_else(|| task.training_size(&mut Stream::new(seed, "size", &[])));
        let instance = draw(task, size, seed);
        let named = |name: &str| values(&column(task, &instance, name));
        let degrees = degrees(&instance);
        let count =
            |holds: &dyn Fn(&[usize; 2]) -> bool| degrees.values().filter(|degree| holds(degree)).count() as f64;
        let heights = named("height");
        let quantities = [
            instance.tokens.len() as f64,
            named("edges")[0],
            heights.len() as f64,
            named("c_first")[0],
            heights[heights.len() - 1],
            heights.iter().filter(|height| **height == 0.0).count() as f64,
            count(&|degree| degree[1] == 0),
            count(&|degree| degree[0] == 4),
        ];
        sequences.iter_mut().zip(quantities).for_each(|(mean, value)| mean.add(value));
        assert!(degrees.values().flatten().all(|degree| *degree <= 4));
        assert_eq!(named("out_degree").last(), Some(&0.0));
        for (mean, name) in nodes.iter_mut().zip(["frontier", "height", "dfs_depth"]) {
            named(name).into_iter().for_each(|value| mean.add(value));
        }
        named("lag").into_iter().for_each(|lag| nodes[3].add(f64::from(u8::from(lag == 1.0))));
    }
    for ((mean, known), name) in sequences.iter().zip(of_sequences).zip(QUANTITIES) {
        mean.demand(known.0, known.1, &format!("{name} at {size:?}"));
    }
    for ((mean, known), name) in nodes.iter().zip(of_nodes).zip(["frontier", "height", "dfs_depth", "lag"]) {
        mean.demand(known, 0.02, &format!("{name} per node at {size:?}"));
    }
}

#[test]
fn graphs_have_the_known_moments() {
    compare(
        &*released(10),
        Some(10),
        [
            (48.85, 0.1),
            (18.3, 0.04),
            (7.25, 0.03),
            (1.861, 0.009),
            (4.38, 0.02),
            (1.84, 0.02),
            (1.99, 0.02),
            (2.03, 0.03),
        ],
        [1.469, 2.085, 1.879, 0.784],
    );
    compare(
        &*released(30),
        Some(30),
        [
            (147.96, 0.33),
            (63.22, 0.14),
            (16.51, 0.1),
            (2.464, 0.016),
            (7.33, 0.05),
            (3.85, 0.04),
            (4.45, 0.04),
            (9.25, 0.06),
        ],
        [2.728, 3.224, 3.068, 0.56],
    );
    compare(
        &*released(70),
        Some(70),
        [(335.6, 1.0), (150.8, 0.4), (28.9, 0.3), (2.641, 0.027), (8.96, 0.1), (7.25, 0.1), (9.54, 0.1), (22.8, 0.15)],
        [4.883, 3.685, 3.871, 0.416],
    );
    compare(
        &*released(110),
        Some(110),
        [
            (519.5, 1.5),
            (238.2, 0.6),
            (38.1, 0.5),
            (2.734, 0.029),
            (9.8, 0.13),
            (9.74, 0.15),
            (14.46, 0.15),
            (36.5, 0.2),
        ],
        [6.67, 4.004, 4.384, 0.353],
    );
    let train = [("order", text("any")), ("maximum_nodes", Value::Integer(110)), ("size_law", text("released"))];
    compare(
        &*configured(&train).unwrap(),
        None,
        [(183.0, 2.0), (80.3, 0.9), (17.5, 0.2), (2.277, 0.014), (6.7, 0.06), (4.31, 0.05), (5.45, 0.07), (11.8, 0.15)],
        [4.021, 3.403, 3.442, 0.499],
    );
    compare(
        &*spelled("any"),
        Some(50),
        [
            (760.1, 2.4),
            (107.3, 0.3),
            (23.1, 0.2),
            (2.625, 0.027),
            (8.41, 0.09),
            (5.55, 0.07),
            (6.97, 0.07),
            (16.2, 0.1),
        ],
        [3.837, 3.579, 3.598, 0.468],
    );
}

/// Distance of the nearest leaf from the query, with as many names as nodes: known from 1,500 graphs or more.
#[test]
fn leaf_distances_have_the_known_histogram() {
    let (task, count) = (released(110), 4000);
    let mut found: BTreeMap<u32, f64> = BTreeMap::new();
    for seed in 0..count {
        let instance = draw(&*task, 110, seed);
        *found.entry(values(&column(&*task, &instance, "c_first"))[0] as u32).or_default() += 1.0;
    }
    for (distance, known) in [(1, 0.104), (2, 0.38), (3, 0.303), (4, 0.121), (5, 0.077), (6, 0.015)] {
        let share = found[&distance] / count as f64;
        // Both numbers are samples.
        let error = share_error(known).hypot((known * (1.0 - known) / count as f64).sqrt());
        assert!((share - known).abs() < 4.0 * error, "{distance}: {share} instead of {known}");
    }
}

/// Standard error of a known share of sequences, measured on 1,500 or more.
pub fn share_error(share: f64) -> f64 {
    (share * (1.0 - share) / 1500.0).sqrt()
}

#[test]
fn guesses_succeed_as_often_as_known() {
    let known =
        [(10, 0.95, 0.785, 0.226), (30, 0.897, 0.648, 0.0065), (70, 0.83, 0.585, 1e-4), (110, 0.797, 0.551, 0.0)];
    for (size, first, enabled, all) in known {
        let task = released(i64::from(size));
        let (mut leaf, mut valid, mut whole) = (Mean::default(), Mean::default(), Mean::default());
        for seed in 0..1000 {
            let instance = draw(&*task, size, seed);
            let degrees = degrees(&instance);
            let leaves: Vec<&str> =
                degrees.iter().filter(|(_, degree)| degree[1] == 0).map(|(node, _)| *node).collect();
            let answer: Vec<&str> = instance.answer.split(' ').collect();
            leaf.add(leaves.iter().filter(|node| answer.contains(node)).count() as f64 / leaves.len() as f64);
            let frontiers = values(&column(&*task, &instance, "frontier"));
            let shares = frontiers.iter().zip(open(&instance, &degrees)).map(|(frontier, open)| frontier / open as f64);
            let mut product = 1.0;
            for share in shares {
                valid.add(share);
                product *= share;
            }
            whole.add(product);
        }
        leaf.demand(first, 0.005, &format!("a leaf first at {size}"));
        valid.demand(enabled, 0.005, &format!("an enabled node at {size}"));
        whole.demand(all, share_error(all), &format!("enabled nodes for a whole answer at {size}"));
    }
}

/// Nodes of the whole graph that could be printed, at every position of the answer.
fn open(instance: &Instance, degrees: &BTreeMap<&str, [usize; 2]>) -> Vec<usize> {
    let (edges, _) = instance.question.split_once(" ? ").unwrap();
    let edges: Vec<(&str, &str)> = edges.split(' ').map(|edge| edge.split_once('>').unwrap()).collect();
    let mut missing: BTreeMap<&str, usize> = degrees.iter().map(|(node, degree)| (*node, degree[1])).collect();
    let mut open: BTreeSet<&str> = missing.iter().filter(|(_, left)| **left == 0).map(|(node, _)| *node).collect();
    let mut counts = Vec::new();
    for node in instance.answer.split(' ') {
        counts.push(open.len());
        open.remove(node);
        for (_, to) in edges.iter().filter(|(from, _)| *from == node) {
            let left = missing.get_mut(to).unwrap();
            *left -= 1;
            if *left == 0 {
                open.insert(to);
            }
        }
    }
    counts
}

#[test]
fn small_graphs_follow_the_exact_law() {
    // Three nodes, one leaf. The second depends on it; the third on the first, the second, or both. It has a single
    // predecessor with probability 1/2, so each of the two with 1/4.
    let count = 40_000;
    let mut shapes: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for seed in 0..count {
        let instance = draw(&*canonical(), 3, seed);
        let edges = instance.question.split(' ').count() - 2;
        *shapes.entry((edges, instance.answer.split(' ').count())).or_default() += 1.0;
    }
    for (shape, probability) in [((2, 2), 0.25), ((2, 1), 0.25), ((3, 2), 0.5)] {
        let deviation = (f64::from(count as u32) * probability * (1.0 - probability)).sqrt();
        let expected = count as f64 * probability;
        assert!((shapes[&shape] - expected).abs() < 4.0 * deviation, "{shape:?}: {}", shapes[&shape]);
    }
    assert_eq!(shapes.len(), 3);
}

#[test]
fn a_query_of_the_last_quarter_may_have_dependents() {
    let task = configured(&[("order", text("any")), ("query_rule", text("last_quarter"))]).unwrap();
    let mut with_dependents = 0;
    for seed in 0..1000 {
        let instance = draw(&*task, 30, seed);
        with_dependents += usize::from(*values(&column(&*task, &instance, "out_degree")).last().unwrap() > 0.0);
    }
    assert!((250..450).contains(&with_dependents), "{with_dependents}");
}
