//! The lists of `copy` against exact laws.

use std::collections::{BTreeMap, BTreeSet};

use super::{agree, column, copies, draw, number, text};

/// All lists of three elements out of three are equally likely.
#[test]
fn small_lists_are_uniform() {
    let task = copies(&[number("alphabet", 3), text("variety_law", "all")]);
    let (count, mut found) = (40_000, BTreeMap::new());
    (0..count).for_each(|seed| *found.entry(draw(&*task, 3, seed).question).or_insert(0) += 1);
    assert_eq!(found.len(), 27);
    for (list, times) in found {
        agree(f64::from(times) / count as f64, 1.0 / 27.0, count as usize, &list);
    }
}

/// A list drawn from k elements of V: another element is the same with probability 1/k.
#[test]
fn varieties_are_equally_likely() {
    let task = copies(&[number("alphabet", 24)]);
    let varieties = [2.0, 4.0, 8.0, 16.0, 24.0];
    let count = 30_000;
    // Of the first two elements, and of the first three.
    let mut same = [0; 2];
    let mut kinds = BTreeMap::new();
    for seed in 0..count {
        let instance = draw(&*task, 32, seed);
        let words: Vec<&str> = instance.question.split(' ').collect();
        same[0] += i32::from(words[0] == words[1]);
        same[1] += i32::from(words[0] == words[1] && words[1] == words[2]);
        *kinds.entry(words.iter().collect::<BTreeSet<_>>().len()).or_insert(0) += 1;
    }
    for (power, same) in (1..).zip(same) {
        let share = varieties.iter().map(|variety: &f64| variety.powi(-power) / 5.0).sum();
        agree(f64::from(same) / count as f64, share, count as usize, &format!("{power} repeats"));
    }
    // Of 32 elements drawn from two, both occur but with probability 2^-31.
    let pairs = kinds.get(&2).copied().unwrap_or(0);
    let four = 6.0 * (0.5_f64.powi(32) - 2.0 * 0.25_f64.powi(32));
    agree(f64::from(pairs) / count as f64, (1.0 + four) / 5.0, count as usize, "two kinds");
}

/// With V elements, the one before a place occurs once in N with probability (1 - 1/V)^(N - 1), and of the other N - 2
/// places that have a successor, each conflicts with probability (1 - 1/V) / V; the last place always does.
#[test]
fn ambiguity_has_the_expected_law() {
    for (alphabet, size) in [(4, 10), (16, 24)] {
        let task = copies(&[number("alphabet", alphabet), text("variety_law", "all")]);
        let (count, v, n) = (10_000, alphabet as f64, f64::from(size));
        let (mut unique, mut conflicts) = (0, Vec::new());
        for seed in 0..count {
            let instance = draw(&*task, size, seed);
            let first = instance.tokens.len() - size as usize - 1;
            // In the middle of the copy.
            let token = first + size as usize / 2;
            unique += i32::from(column(&*task, &instance, "preceding_occurrences")[token] == 1.0);
            conflicts.push(f64::from(column(&*task, &instance, "conflicts")[token]));
        }
        let share = (1.0 - 1.0 / v).powi(size as i32 - 1);
        agree(f64::from(unique) / count as f64, share, count as usize, "once");
        let mean = (n - 2.0) * (1.0 - 1.0 / v) / v + 1.0 / v;
        let found = conflicts.iter().sum::<f64>() / count as f64;
        let variance = conflicts.iter().map(|number| (number - found).powi(2)).sum::<f64>() / count as f64;
        assert!((found - mean).abs() < 4.0 * (variance / count as f64).sqrt(), "{found}, not {mean}");
    }
}

/// Lists of two elements need long contexts, lists of many short ones, at the same length.
#[test]
fn one_length_has_all_difficulties() {
    let task = copies(&[number("minimum_length", 16), number("window", 64)]);
    let mut found: BTreeMap<u32, usize> = BTreeMap::new();
    for seed in 0..2000 {
        let instance = draw(&*task, 16, seed);
        let longest = column(&*task, &instance, "context").into_iter().fold(0.0, f32::max);
        *found.entry(longest as u32).or_default() += 1;
    }
    assert!((2..=8).all(|context| found.get(&context).is_some_and(|times| *times > 10)), "{found:?}");
}
