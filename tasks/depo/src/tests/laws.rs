//! The generator's samples against exact distributions and known moments.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;

use super::{column, configured, depo, draw, released, text};

#[test]
fn sizes_follow_the_released_law() {
    let task = configured(&[("size_law", text("released")), ("maximum_nodes", Value::Integer(75))]).unwrap();
    let count = 20_000;
    let size = |seed| f64::from(task.training_size(&mut Stream::new(seed, "size", &[])));
    let sizes: Vec<f64> = (0..count).map(size).collect();
    let mean = sizes.iter().sum::<f64>() / count as f64;
    assert!((mean - 27.48).abs() < 4.0 * 20.41 / f64::from(count as u32).sqrt(), "{mean}");
    for (size, probability) in [(3.0, 0.04246), (75.0, 0.005917)] {
        let found = sizes.iter().filter(|found| **found == size).count() as f64 / count as f64;
        let deviation = (probability * (1.0 - probability) / count as f64).sqrt();
        assert!((found - probability).abs() < 4.0 * deviation, "{size}: {found}");
    }
}

#[test]
fn all_cycles_hops_and_starts_are_equally_likely() {
    let task = configured(&[("maximum_hops", Value::Integer(3)), ("queries", Value::Integer(1))]).unwrap();
    let count = 24_000;
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for seed in 0..count {
        let instance = draw(&*task, 4, seed);
        // Names replaced by their ranks among the four, edges sorted.
        let (edges, query) = instance.question.split_once(" ? ").unwrap();
        let edges: Vec<(u32, u32)> = edges
            .split(' ')
            .map(|edge| edge.split_once('>').map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())).unwrap())
            .collect();
        let mut names: Vec<u32> = edges.iter().map(|edge| edge.0).collect();
        names.sort_unstable();
        let place = |name: u32| names.iter().position(|other| *other == name).unwrap();
        let mut cycle: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (place(*from), place(*to))).collect();
        cycle.sort_unstable();
        let (start, hops) = query.split_once(' ').unwrap();
        *counts.entry(format!("{cycle:?} {} {hops}", place(start.parse().unwrap()))).or_default() += 1.0;
    }
    // Six cycles, four starts and three numbers of hops.
    assert_eq!(counts.len(), 72);
    let expected = count as f64 / 72.0;
    let chi_square: f64 = counts.values().map(|found| (found - expected).powi(2) / expected).sum();
    // With 71 degrees of freedom, a larger value has a probability of 1e-5.
    assert!(chi_square < 132.0, "{chi_square}");
}

#[test]
fn sequences_have_the_known_lengths() {
    let mean = |task: &dyn haltbench_sdk::task::Task, size| {
        (0..300).map(|seed| draw(task, size, seed).tokens.len() as f64).sum::<f64>() / 300.0
    };
    // Measured with an independent implementation: 1458 and 859 tokens.
    let task = released(50, [1, 2], 375, 8);
    assert!((mean(&*task, 375) - 1458.0).abs() < 2.0, "{}", mean(&*task, 375));
    assert!((mean(&*task, 225) - 859.0).abs() < 3.0, "{}", mean(&*task, 225));
    let task = released(3, [5, 7], 125, 16);
    assert!((mean(&*task, 125) - 1648.0).abs() < 4.0, "{}", mean(&*task, 125));
    assert!((mean(&*task, 75) - 1044.0).abs() < 4.0, "{}", mean(&*task, 75));
}

#[test]
fn prefixes_are_shared_as_often_as_known() {
    let known: [(i64, [i64; 2], u32, &[f64]); 2] =
        [(3, [5, 7], 125, &[125.0, 42.3, 14.7, 5.5, 2.4, 1.3, 1.03]), (50, [1, 2], 375, &[375.0, 7.4])];
    for (letters, lengths, nodes, means) in known {
        let task = released(letters, lengths, i64::from(nodes), 8);
        let mut sums = vec![(0.0, 0.0); means.len()];
        for seed in 0..300 {
            let instance = draw(&*task, nodes, seed);
            let spelling = column(&*task, &instance, "spelling");
            let mut place = 0;
            for (token, value) in spelling.iter().enumerate() {
                place = if instance.loss_mask[token] { place } else { 0 };
                if instance.loss_mask[token] {
                    sums[place].0 += f64::from(*value);
                    sums[place].1 += 1.0;
                    place += 1;
                }
            }
        }
        for ((sum, count), mean) in sums.into_iter().zip(means) {
            assert!((sum / count - mean).abs() < 0.02 * mean + 0.03, "{} instead of {mean}", sum / count);
        }
    }
}

#[test]
fn hops_follow_their_law() {
    let printed = |law: &str| {
        let task = configured(&[("hop_law", text(law)), ("maximum_hops", Value::Integer(24))]).unwrap();
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let instance = draw(&*task, 30, seed);
            found.extend(
                column(&*task, &instance, "hops").iter().filter(|hops| !hops.is_nan()).map(|hops| *hops as u32),
            );
        }
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(printed("uniform"), (1..=24).collect::<Vec<_>>());
    assert_eq!(printed("powers"), [1, 2, 4, 8, 16, 24]);
    assert_eq!(printed("largest"), [24]);
}

#[test]
fn every_node_is_asked_about_where_there_are_few() {
    for (size, count) in [(3, 3), (10, 10), (30, 10)] {
        assert_eq!(draw(&*depo(), size, 0).answer.split(' ').count(), count);
    }
}
