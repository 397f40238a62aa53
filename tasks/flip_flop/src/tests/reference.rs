//! Every column again, computed from the words of the sequence by looking back from every read.

use std::collections::BTreeMap;

use haltbench_sdk::task::{Instance, Task};

use super::{configured, draw, flip_flop, number, probability};

/// Expected columns: name, token, value.
fn expected(words: &[&str]) -> BTreeMap<(&'static str, usize), f32> {
    let pairs: Vec<(&str, &str)> = words[1..].chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let mut all = BTreeMap::new();
    for (place, (operation, bit)) in pairs.iter().enumerate() {
        if *operation != "r" {
            continue;
        }
        let token = 2 * place + 2;
        let before = &pairs[..place];
        let written = before.iter().rposition(|(operation, _)| *operation == "w").unwrap();
        let since = &before[written + 1..];
        let count = |pairs: &[(&str, &str)], word: &str| pairs.iter().filter(|pair| pair.0 == word).count();
        let shown = before.iter().rposition(|(operation, _)| *operation != "i").unwrap();
        let conflicts = since.iter().filter(|(operation, other)| *operation == "i" && other != bit).count();
        let numbers = [
            ("lag", place - written),
            ("distractors", count(since, "i")),
            ("depth", 1),
            ("position", token),
            ("writes_before", count(before, "w")),
            ("reads_before", count(before, "r")),
            ("ones_before", before.iter().filter(|(_, bit)| *bit == "1").count()),
            ("preceding_bit", before[place - 1].1.parse().unwrap()),
            ("stored_bit", before[written].1.parse().unwrap()),
            ("copy_distance", place - shown),
            ("conflicts", conflicts),
        ];
        assert_eq!(before[written].1, *bit);
        all.extend(numbers.map(|(name, number)| ((name, token), number as f32)));
    }
    all
}

#[test]
fn columns_are_what_their_definitions_give() {
    let dense = configured(&[probability(0.1), number("instructions", 64), number("maximum_lag", 20)]).unwrap();
    for task in [flip_flop(), dense] {
        for size in 1..=31 {
            for seed in 0..60 {
                compare(&*task, &draw(&*task, size, seed), size);
            }
        }
    }
}

fn compare(task: &dyn Task, instance: &Instance, size: u32) {
    let spec = task.spec();
    let text = instance.text(&spec.vocabulary);
    let expected = expected(&text.split(' ').collect::<Vec<_>>());
    let complexities =
        spec.complexities.iter().enumerate().map(|(place, spec)| (spec.name, instance.complexities.column(place)));
    let features = spec.features.iter().enumerate().map(|(place, spec)| (spec.name, instance.features.column(place)));
    let (mut compared, mut longest) = (0, 0.0);
    for (name, column) in complexities.chain(features) {
        for (token, value) in column.enumerate() {
            let found = (!value.is_nan()).then_some(value);
            assert_eq!(found, expected.get(&(name, token)).copied(), "{name} at {token} of {text}");
            compared += usize::from(found.is_some());
            longest = if name == "lag" { f32::max(longest, value) } else { longest };
        }
    }
    assert_eq!((compared, longest), (expected.len(), size as f32));
}
