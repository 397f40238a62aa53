//! Starts of strings, against enumerated languages.

use std::collections::BTreeMap;

use super::{ambiguous, enumerate, instance, language, lano};
use crate::grammar::Terminal;
use crate::language::Language;
use crate::start;

/// The share of strings with the most frequent start of `length` terminals.
fn greatest_share(strings: &BTreeMap<Vec<Terminal>, (f64, u128)>, length: usize) -> f64 {
    let mut shares: BTreeMap<&[Terminal], f64> = BTreeMap::new();
    for (string, (probability, _)) in strings {
        *shares.entry(&string[..length]).or_default() += probability;
    }
    shares.into_values().fold(0.0, f64::max)
}

#[test]
fn starts_are_as_long_as_their_shares_ask_for() {
    let languages: Vec<Language> = (0..12).map(|seed| ambiguous(3, seed)).collect();
    let mut found = Vec::new();
    for language in languages.iter().chain([&language("toy")]) {
        let strings = enumerate(&language.grammar);
        let shortest = strings.keys().map(Vec::len).min().unwrap();
        let is_rare = |length: &usize| greatest_share(&strings, *length) <= 1.0 / 200.0;
        let expected = (0..=shortest).find(is_rare).unwrap_or(shortest);
        assert_eq!(start::length(language), expected);
        found.push(expected < shortest);
    }
    // Each of both rules applies in some case.
    assert!(found.contains(&true) && found.contains(&false), "{found:?}");
}

#[test]
fn grading_begins_where_the_start_has_been_read() {
    for (name, length) in [("toy", 4), ("sampled", 13), ("cfg3b", 14), ("cfg3f", 10)] {
        let task = lano(name);
        for seed in 0..50 {
            let instance = instance(&*task, seed);
            let words: Vec<&str> = instance.question.split(' ').collect();
            assert_eq!(instance.problem(), words[..length].join(" "), "{name}");
            // All terminals after the start, and the end.
            assert_eq!(instance.graded().count(), words.len() - length + 1);
            assert_eq!(instance.graded().next(), Some(1 + length));
            assert_eq!(instance.answers().count(), words.len() + 1);
        }
    }
}
