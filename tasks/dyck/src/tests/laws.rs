//! The generator's samples and its law against enumerations and known numbers.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;

use super::{column, configured, draw, dyck, of_kinds, walk};
use crate::law::{Law, Weights};
use crate::start::Start;

/// All words of `pairs` pairs with at most `depth` open brackets, with their probability under the law; 1 opens.
fn words(law: &Law, pairs: usize) -> Vec<(Vec<u8>, f64)> {
    let mut found = vec![(Vec::new(), 0, 1.0)];
    for left in (1..=2 * pairs).rev() {
        let mut next: Vec<(Vec<u8>, usize, f64)> = Vec::new();
        for (word, at, share) in found {
            let open = law.open(left, at);
            if open > 0.0 {
                next.push(([&word[..], &[1]].concat(), at + 1, share * open));
            }
            if open < 1.0 && at > 0 {
                next.push(([&word[..], &[0]].concat(), at - 1, share * (1.0 - open)));
            }
        }
        found = next;
    }
    assert!(found.iter().all(|(_, at, _)| *at == 0));
    found.into_iter().map(|(word, _, share)| (word, share)).collect()
}

/// Catalan numbers where the depth is no bound; 2^(n-1) with depth 2, and every other Fibonacci number with depth 3.
#[test]
fn words_are_as_many_as_known_and_equally_likely() {
    let known: [(usize, &[usize]); 3] = [
        (9, &[1, 2, 5, 14, 42, 132, 429, 1430, 4862]),
        (2, &[1, 2, 4, 8, 16, 32, 64, 128, 256]),
        (3, &[1, 2, 5, 13, 34, 89, 233, 610, 1597]),
    ];
    for (depth, counts) in known {
        let law = Law::new(Weights::Uniform, depth, 18);
        for (pairs, count) in (1..).zip(counts) {
            let words = words(&law, pairs);
            assert_eq!(words.len(), *count, "{depth}, {pairs}");
            let even = 1.0 / *count as f64;
            assert!(words.iter().all(|(_, share)| (share - even).abs() < 1e-12 * even), "{depth}, {pairs}");
        }
    }
}

/// The walk has no choice at depth 0 and at the largest depth, so a word weighs 2 for every bracket that begins there.
#[test]
fn walks_weigh_their_forced_steps() {
    for depth in [2, 3, 5] {
        let law = Law::new(Weights::Walk, depth, 14);
        let words = words(&law, 7);
        let weight = |word: &[u8]| {
            let (mut at, mut weight) = (0, 1.0);
            for bracket in word {
                weight *= if at == 0 || at == depth { 2.0 } else { 1.0 };
                at = if *bracket == 1 { at + 1 } else { at - 1 };
            }
            weight
        };
        let total: f64 = words.iter().map(|(word, _)| weight(word)).sum();
        for (word, share) in &words {
            assert!((share - weight(word) / total).abs() < 1e-12, "{word:?}");
        }
    }
}

/// Long words neither overflow nor underflow.
#[test]
fn laws_of_long_words_are_finite() {
    for (weights, depth) in [(Weights::Uniform, 2), (Weights::Uniform, 128), (Weights::Walk, 8)] {
        let law = Law::new(weights, depth, 4096);
        for left in 1..=4096 {
            // Only as many brackets can be open as may still close, and only an even number of others is left.
            for at in (0..=depth.min(left)).filter(|at| (left - at).is_multiple_of(2)) {
                let open = law.open(left, at);
                assert!(
                    (0.0..=1.0).contains(&open) && (open == 0.0) == (at == depth || at == left),
                    "{left} {at} {open}"
                );
            }
        }
    }
}

/// Starts of an independent program, which enumerates them with exact fractions.
#[test]
fn starts_are_as_long_as_known() {
    for (depth, kinds, weights, brackets, smallest) in [
        (8, 1, Weights::Uniform, 12, 8),
        (8, 1, Weights::Walk, 18, 11),
        (2, 1, Weights::Uniform, 16, 10),
        (2, 1, Weights::Walk, 16, 10),
        (3, 1, Weights::Uniform, 14, 9),
        (5, 1, Weights::Uniform, 12, 8),
        (8, 2, Weights::Uniform, 8, 6),
        (8, 8, Weights::Uniform, 4, 4),
        (3, 2, Weights::Walk, 8, 6),
        (2, 128, Weights::Uniform, 2, 3),
        (4, 1, Weights::Walk, 18, 11),
    ] {
        let start = Start::new(&Law::new(weights, depth, 256), kinds, 128);
        assert_eq!((start.brackets, start.smallest), (brackets, smallest), "{depth} {kinds} {weights:?}");
    }
}

#[test]
fn drawn_words_are_equally_likely() {
    let task = dyck();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let count = 60_000;
    for seed in 0..count {
        *counts.entry(draw(&*task, 8, seed).question).or_default() += 1;
    }
    assert_eq!(counts.len(), 1430, "the eighth Catalan number");
    let expected = count as f64 / 1430.0;
    let statistic: f64 = counts.values().map(|found| (*found as f64 - expected).powi(2) / expected).sum();
    // scipy.stats.chi2.isf(1e-5, 1429).
    assert!(statistic < 1668.5, "{statistic}");
}

/// Among the words of N pairs with any depth, the mean number of innermost pairs is (N + 1) / 2, and that of returns to
/// depth 0 is 3 N / (N + 2).
#[test]
fn innermost_pairs_and_returns_have_their_known_means() {
    let task = configured(&[("maximum_depth", Value::Integer(40))]).unwrap();
    for size in [12, 32] {
        let count = 10_000;
        let (mut innermost, mut returns) = (Vec::new(), Vec::new());
        for seed in 0..count {
            let instance = draw(&*task, size, seed);
            let distance = column(&*task, &instance, "distance");
            innermost.push(distance.iter().filter(|distance| **distance == 1.0).count() as f64);
            returns.push(f64::from(*column(&*task, &instance, "returns").last().unwrap()) + 1.0);
        }
        let pairs = f64::from(size);
        for (values, exact) in [(innermost, (pairs + 1.0) / 2.0), (returns, 3.0 * pairs / (pairs + 2.0))] {
            let mean = values.iter().sum::<f64>() / count as f64;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
            assert!((mean - exact).abs() < 4.3 * (variance / count as f64).sqrt(), "{size}: {mean}, not {exact}");
        }
    }
}

#[test]
fn depths_stay_within_the_bound_and_reach_it() {
    for (task, bound) in [(dyck(), 8.0), (of_kinds(1, 2), 2.0), (of_kinds(4, 3), 3.0), (walk(1, 5), 5.0)] {
        let peak = |seed| *column(&*task, &draw(&*task, 32, seed), "peak_depth").last().unwrap();
        let deepest = (0..500).map(peak).fold(0.0, f32::max);
        assert_eq!(deepest, bound);
    }
}

#[test]
fn kinds_are_uniform_and_independent() {
    let task = of_kinds(3, 5);
    let mut counts = [0.0; 9];
    for seed in 0..3000 {
        let question = draw(&*task, 12, seed).question;
        let kinds: Vec<usize> =
            question.split(' ').filter_map(|word| word.strip_prefix('(')).map(|kind| kind.parse().unwrap()).collect();
        kinds.windows(2).step_by(2).for_each(|pair| counts[3 * (pair[0] - 1) + pair[1] - 1] += 1.0);
    }
    let expected = counts.iter().sum::<f64>() / 9.0;
    let statistic: f64 = counts.iter().map(|found| (found - expected).powi(2) / expected).sum();
    // scipy.stats.chi2.isf(1e-5, 8).
    assert!(statistic < 37.34, "{statistic}");
}

/// Words of one length have the brackets of the others, at any places.
#[test]
fn fillers_are_anywhere() {
    let (short, long) = (dyck(), super::equally_long(1));
    let mut at = [0.0_f64; 256];
    for seed in 0..4000 {
        let [left, right] = [draw(&*short, 16, seed), draw(&*long, 16, seed)];
        let words: Vec<&str> = right.question.split(' ').collect();
        let brackets: Vec<&str> = words.iter().copied().filter(|word| *word != ".").collect();
        assert_eq!((brackets.join(" "), &right.answer), (left.question.clone(), &left.answer));
        assert_eq!(left.problem(), right.problem());
        words.iter().enumerate().filter(|(_, word)| **word != ".").for_each(|(place, _)| at[place] += 1.0);
    }
    // Every place has a bracket with probability 32 / 256.
    let deviation = (4000.0_f64 * 0.125 * 0.875).sqrt();
    assert!(at.iter().all(|count| (count - 500.0).abs() < 4.8 * deviation), "{at:?}");
}
