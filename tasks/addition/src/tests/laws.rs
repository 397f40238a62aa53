//! The generator's samples against exact distributions.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

use super::{addition, column, configured, draw};

/// Chi-square statistic of counts that are expected to be equal.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// Largest deviation of a share that is likely: 4.3 standard deviations.
fn tolerated(probability: f64, count: f64) -> f64 {
    4.3 * (probability * (1.0 - probability) / count).sqrt() + 1e-9
}

fn nines(probability: f64, is_padded: bool) -> Box<dyn Task> {
    let given = [("nine_probability", Value::Real(probability)), ("zero_padding", Value::Flag(is_padded))];
    configured(&given).unwrap()
}

/// With zeros and the default probability, every pair of numbers is equally likely.
#[test]
fn padded_numbers_are_uniform() {
    let task = addition("most", true);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..200_000 {
        *counts.entry(draw(&*task, 2, seed).question).or_default() += 1;
    }
    let counts: Vec<u64> = counts.into_values().collect();
    assert_eq!(counts.len(), 10_000);
    // scipy.stats.chi2.isf(1e-5, 9999).
    assert!(chi_square(&counts) < 10_613.6, "{}", chi_square(&counts));
}

/// A lookback of r needs r - 1 nines right below, each of probability p, and all places if it reaches the last.
#[test]
fn lookbacks_are_geometric() {
    for probability in [0.1, 0.5, 0.9] {
        let task = nines(probability, true);
        let count = 20_000;
        let mut found = [0.0; 7];
        for seed in 0..count {
            let instance = draw(&*task, 6, seed);
            // The carry into the highest place.
            let token = instance.graded().next().unwrap();
            found[column(&*task, &instance, "lookback")[token] as usize] += 1.0 / count as f64;
        }
        for (lookback, found) in found.iter().enumerate() {
            let reached = |lookback: usize| probability.powi(lookback as i32 - 1);
            let expected = match lookback {
                0 => 0.0,
                6 => reached(6),
                _ => reached(lookback) - reached(lookback + 1),
            };
            assert!((found - expected).abs() < tolerated(expected, count as f64), "{probability}, {lookback}: {found}");
        }
    }
}

/// Digits that do not add up to 9 add up to more in half of the cases: P(c') = (1 - p) / 2 + p P(c), from 0 on.
#[test]
fn carries_follow_their_recursion() {
    for probability in [0.0, 0.1, 0.5, 1.0] {
        let task = nines(probability, true);
        let count = 20_000;
        let mut found = [0.0; 6];
        for seed in 0..count {
            let instance = draw(&*task, 5, seed);
            let start = instance.graded().next().unwrap();
            let carry = column(&*task, &instance, "carry");
            (0..6).for_each(|place| found[place] += f64::from(carry[start + 5 - place]) / count as f64);
        }
        let mut expected = 0.0;
        for (place, found) in found.iter().enumerate() {
            assert!((found - expected).abs() < tolerated(expected, count as f64), "{probability}, {place}: {found}");
            expected = (1.0 - probability) / 2.0 + probability * expected;
        }
    }
}

/// Without zeros one operand has N digits and the other 1 to N, all equally likely; no number begins with 0, and digits
/// of a place that only one number has are nine as often as digits add up to it.
#[test]
fn numbers_without_zeros_follow_their_law() {
    let task = nines(0.3, false);
    let count = 30_000;
    let mut lengths: BTreeMap<[usize; 2], f64> = BTreeMap::new();
    let (mut nine, mut leading) = ([0.0; 4], [0.0; 10]);
    for seed in 0..count {
        let instance = draw(&*task, 4, seed);
        let numbers: Vec<Vec<u32>> = instance
            .question
            .split(" + ")
            .map(|number| number.split(' ').rev().map(|digit| digit.parse().unwrap()).collect())
            .collect();
        *lengths.entry([numbers[0].len(), numbers[1].len()]).or_default() += 1.0 / f64::from(count as u32);
        for (place, nine) in nine.iter_mut().enumerate() {
            let sum: u32 = numbers.iter().filter_map(|number| number.get(place)).sum();
            *nine += f64::from(u8::from(sum == 9)) / f64::from(count as u32);
        }
        if numbers[0].len() == 4 {
            leading[numbers[0][3] as usize] += 1.0;
        }
    }
    // Either is the longer one with probability 1/2; both have four digits with probability 1/4.
    assert_eq!(lengths.len(), 7);
    for (pair, found) in &lengths {
        let expected = if *pair == [4, 4] { 0.25 } else { 0.125 };
        assert!((found - expected).abs() < tolerated(expected, f64::from(count as u32)), "{pair:?}: {found}");
    }
    for (place, nine) in nine.iter().enumerate() {
        assert!((nine - 0.3).abs() < tolerated(0.3, f64::from(count as u32)), "{place}: {nine}");
    }
    assert!(leading[0] == 0.0 && leading[1..].iter().all(|count| *count > 0.0));
}

/// Zeros on top make all lengths equal and change nothing below.
#[test]
fn equal_lengths_have_the_same_numbers() {
    let (short, long) = (addition("most", true), super::equally_long("most"));
    for seed in 0..300 {
        let [left, right] = [draw(&*short, 6, seed), draw(&*long, 6, seed)];
        assert_eq!(left.canonical(), right.canonical());
        assert!(right.question.starts_with(&"0 ".repeat(26)) && right.answer.ends_with(&left.answer));
        let [few, many] = [(&short, &left), (&long, &right)].map(|(task, instance)| {
            let lookback = column(&**task, instance, "lookback");
            instance.graded().map(|token| lookback[token]).collect::<Vec<f32>>()
        });
        assert!(many.ends_with(&few));
    }
}
