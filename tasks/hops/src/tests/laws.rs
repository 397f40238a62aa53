//! The generator's samples against exact distributions.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;

use super::{column, configured, draw, fixed, hops, text};

/// P(Binomial(n, p) = k) for k = 0, 1, ..., n.
fn binomial(trials: usize, probability: f64) -> Vec<f64> {
    let mut law = vec![1.0];
    for _ in 0..trials {
        let mut next = vec![0.0; law.len() + 1];
        for (count, share) in law.iter().enumerate() {
            next[count] += share * (1.0 - probability);
            next[count + 1] += share * probability;
        }
        law = next;
    }
    law
}

/// Probability that `asked` hops are possible from the letter after `before` others: a hop goes back by a geometric
/// number of letters, independent of the others, and at least one letter must stay before the place where it ends.
fn defined(asked: usize, before: usize, alphabet: usize) -> f64 {
    let Some(trials) = before.checked_sub(1) else { return f64::from(u8::from(asked == 0)) };
    binomial(trials, 1.0 / (alphabet as f64 - 1.0)).iter().skip(asked).sum()
}

/// With an alphabet of 4 and 98 letters, the means of an independent program over all letters.
#[test]
fn the_exact_law_has_the_known_values() {
    for (asked, known) in [(1, 0.959), (2, 0.929), (4, 0.867), (8, 0.745), (16, 0.500)] {
        let mean = (0..98).map(|before| defined(asked, before, 4)).sum::<f64>() / 98.0;
        assert!((mean - known).abs() < 0.0006, "{asked}: {mean}");
    }
}

#[test]
fn hops_are_possible_as_often_as_known() {
    for asked in [1, 2, 4, 8, 16] {
        let task = fixed(asked, "every");
        let count = 1500;
        let (mut found, mut squares) = (0.0, 0.0);
        for seed in 0..count {
            let instance = draw(&*task, 98, seed);
            let column = column(&*task, &instance, "defined");
            let mean = f64::from(column[1..].iter().sum::<f32>()) / 98.0;
            found += mean / count as f64;
            squares += mean * mean / count as f64;
        }
        let exact = (0..98).map(|before| defined(asked as usize, before, 4)).sum::<f64>() / 98.0;
        let deviation = ((squares - found * found).max(0.0) / count as f64).sqrt();
        // One hop: nearly every string lacks it at four letters exactly.
        assert!((found - exact).abs() < 4.3 * deviation + 1e-9, "{asked}: {found}, not {exact}");
    }
}

/// Hops taken at the last letter: the smaller one of those asked for and a binomial number.
#[test]
fn hops_taken_follow_the_exact_law() {
    for alphabet in [3, 4, 9] {
        let given = [("hops", text("fixed")), ("answers", text("last")), ("alphabet", Value::Integer(alphabet))];
        let task = configured(&given).unwrap();
        let count = 30_000;
        let mut counts = [0.0; 9];
        for seed in 0..count {
            let instance = draw(&*task, 21, seed);
            counts[*column(&*task, &instance, "hops").last().unwrap() as usize] += 1.0;
        }
        let law = binomial(19, 1.0 / (alphabet as f64 - 1.0));
        let mut expected = law[..8].to_vec();
        expected.push(law[8..].iter().sum());
        for (hops, (found, share)) in counts.iter().zip(expected).enumerate() {
            let deviation = (share * (1.0 - share) * count as f64).sqrt();
            assert!((found - share * count as f64).abs() < 4.3 * deviation + 1.0, "{alphabet}, {hops}: {found}");
        }
    }
}

/// A hop goes back by a geometric number of letters: 3 on average with four letters.
#[test]
fn a_hop_goes_back_three_letters() {
    let task = fixed(1, "last");
    let mut lengths = Vec::new();
    for seed in 0..20_000 {
        // After 127 letters nearly every letter has an earlier occurrence.
        let back = *column(&*task, &draw(&*task, 128, seed), "first_hop").last().unwrap();
        lengths.push(f64::from(back));
    }
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    // The variance of a geometric number of mean 3 is 6.
    assert!((mean - 3.0).abs() < 4.3 * (6.0 / lengths.len() as f64).sqrt(), "{mean}");
    let ones = lengths.iter().filter(|back| **back == 1.0).count() as f64 / lengths.len() as f64;
    assert!((ones - 1.0 / 3.0).abs() < 0.015, "{ones}");
}

#[test]
fn strings_are_equally_likely() {
    let task = configured(&[("alphabet", Value::Integer(5)), ("maximum_hops", Value::Integer(2))]).unwrap();
    let (mut strings, mut asked): (BTreeMap<String, u64>, BTreeMap<String, u64>) = Default::default();
    let count = 40_000;
    for seed in 0..count {
        let question = draw(&*task, 5, seed).question;
        let (hops, letters) = question.split_once(' ').unwrap();
        *strings.entry(letters.to_owned()).or_default() += 1;
        *asked.entry(hops.to_owned()).or_default() += 1;
    }
    // scipy.stats.chi2.isf(1e-5, [1279, 2]).
    for (counts, cells, limit) in [(strings, 1280, 1506.2), (asked, 3, 23.03)] {
        assert_eq!(counts.len(), cells);
        let expected = count as f64 / cells as f64;
        let statistic: f64 = counts.values().map(|found| (*found as f64 - expected).powi(2) / expected).sum();
        assert!(statistic < limit, "{statistic}");
    }
}

#[test]
fn neighbours_differ() {
    for seed in 0..500 {
        let question = draw(&*hops(), 60, seed).question;
        let letters: Vec<&str> = question.split(' ').skip(1).collect();
        assert!(letters.windows(2).all(|pair| pair[0] != pair[1]), "{question}");
    }
}
