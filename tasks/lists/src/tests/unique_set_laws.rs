//! The lists of `unique-set` against exact laws: enumeration of all lists, and the coupon collector's.

use std::collections::{BTreeMap, BTreeSet};

use super::{agree, column, draw, number, text, unique_sets};
use crate::unique_set::list::Stirling;

fn distinct(question: &str) -> usize {
    question.split(' ').collect::<BTreeSet<_>>().len()
}

/// Against the explicit formula, the sum over i of (-1)^i (k - i)^n / (i! (k - i)!).
#[test]
fn stirling_numbers_are_those_of_the_explicit_formula() {
    let table = Stirling::new(400);
    let factorial = |number: u32| (1..=i128::from(number)).product::<i128>();
    for places in 1..=20_u32 {
        for distinct in 1..=places {
            let term = |i: u32| {
                let binomial = factorial(distinct) / (factorial(i) * factorial(distinct - i));
                (1 - 2 * i128::from(i % 2)) * binomial * i128::from(distinct - i).pow(places)
            };
            let exact = (0..=distinct).map(term).sum::<i128>() / factorial(distinct);
            let found = table.logarithm(places as usize, distinct as usize);
            assert!((found - (exact as f64).ln()).abs() < 1e-12, "{places} {distinct}: {found}, not ln {exact}");
        }
    }
    // S(n, 2) = 2^(n - 1) - 1, and S(n, n - 1) = n (n - 1) / 2.
    assert!((table.logarithm(400, 2) - 399.0 * std::f64::consts::LN_2).abs() < 1e-10);
    assert!((table.logarithm(400, 399) - (400.0 * 399.0 / 2.0_f64).ln()).abs() < 1e-10);
    assert_eq!(table.logarithm(5, 6), f64::NEG_INFINITY);
}

/// With three elements and four places, each of the 81 lists has its share of its number of distinct elements.
#[test]
fn lists_of_equally_many_distinct_elements_are_equally_likely() {
    let task = unique_sets(&[number("alphabet", 3)]);
    let count = 60_000;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    (0..count).for_each(|seed| *found.entry(draw(&*task, 4, seed).question).or_default() += 1);
    assert_eq!(found.len(), 81);
    for (list, times) in found {
        // 3 lists have one element, 42 have two, 36 have three.
        let alike = [3.0, 42.0, 36.0][distinct(&list) - 1];
        agree(times as f64 / count as f64, 1.0 / 3.0 / alike, count as usize, &list);
    }
}

#[test]
fn numbers_of_distinct_elements_are_uniform() {
    for (alphabet, size) in [(32, 8), (5, 20), (1024, 32)] {
        let task = unique_sets(&[number("alphabet", alphabet)]);
        let possible = (alphabet as usize).min(size as usize);
        let (count, mut found) = (8000, vec![0; possible + 1]);
        (0..count).for_each(|seed| found[distinct(&draw(&*task, size, seed).question)] += 1);
        for (distinct, times) in found.into_iter().enumerate().skip(1) {
            let share = 1.0 / possible as f64;
            agree(f64::from(times) / count as f64, share, count as usize, &format!("{distinct} of {size}"));
        }
    }
}

/// Independent draws from V elements have V (1 - (1 - 1/V)^N) distinct ones on average.
#[test]
fn independent_draws_have_the_expected_number_of_distinct_elements() {
    for (alphabet, size) in [(32, 16), (4, 8), (10, 32)] {
        let task = unique_sets(&[number("alphabet", alphabet), text("distinct_law", "draws")]);
        let count = 10_000;
        let numbers: Vec<f64> = (0..count).map(|seed| distinct(&draw(&*task, size, seed).question) as f64).collect();
        let v = alphabet as f64;
        let missing = |elements: f64| (1.0 - elements / v).powi(size as i32);
        let mean = v * (1.0 - missing(1.0));
        let variance = v * missing(1.0) + v * (v - 1.0) * missing(2.0) - (v * missing(1.0)).powi(2);
        let found = numbers.iter().sum::<f64>() / count as f64;
        assert!(
            (found - mean).abs() < 4.0 * (variance / count as f64).sqrt(),
            "{alphabet} {size}: {found}, not {mean}"
        );
    }
}

/// After j distinct elements of V, independent draws repeat one with probability j / V: skips are geometric.
#[test]
fn skips_of_independent_draws_are_geometric() {
    let task = unique_sets(&[number("alphabet", 4), text("distinct_law", "draws")]);
    let (count, mut found) = (20_000, BTreeMap::new());
    for seed in 0..count {
        let instance = draw(&*task, 16, seed);
        let skips: Vec<usize> = column(&*task, &instance, "skipped")
            .into_iter()
            .filter(|skip| !skip.is_nan())
            .map(|skip| skip as usize)
            .collect();
        // The last entry is that of the end.
        if let [0, second, third, _, ..] = skips[..] {
            *found.entry((second, third)).or_insert(0) += 1;
        }
    }
    for second in 0..4 {
        for third in 0..4 {
            let share = 0.25_f64.powi(second) * 0.75 * 0.5_f64.powi(third) * 0.5;
            let times = found.get(&(second as usize, third as usize)).copied().unwrap_or(0);
            agree(f64::from(times) / count as f64, share, count as usize, &format!("{second} then {third}"));
        }
    }
}

/// All skips of a list add up to its repeats.
#[test]
fn repeats_are_skipped_once() {
    for law in ["uniform", "draws"] {
        let task = unique_sets(&[text("distinct_law", law)]);
        for size in 1..=32 {
            for seed in 0..50 {
                let instance = draw(&*task, size, seed);
                let skipped: f32 = column(&*task, &instance, "skipped").into_iter().filter(|skip| !skip.is_nan()).sum();
                assert_eq!(skipped as usize + distinct(&instance.question), size as usize);
            }
        }
    }
}
