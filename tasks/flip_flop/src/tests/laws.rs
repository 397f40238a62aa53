//! The generator's samples and tables against exact laws: enumeration of all programs, and the published law.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{column, configured, draw, number, probability};
use crate::instruction::Operation;
use crate::law::Law;

/// Every program, as words, with its probability and its longest lag; the last instruction counts as a read.
fn programs(ignore: f64, instructions: usize) -> Vec<(String, f64, usize)> {
    let mut all = vec![("w".to_owned(), 1.0)];
    for place in 1..instructions {
        let next = |(text, weight): (String, f64)| {
            let operations = [("w", (1.0 - ignore) / 2.0), ("r", (1.0 - ignore) / 2.0), ("i", ignore)];
            let possible = operations.into_iter().filter(move |(word, _)| place + 1 < instructions || *word == "r");
            possible.map(move |(word, share)| (format!("{text}{word}"), weight * share))
        };
        all = all.into_iter().flat_map(next).collect();
    }
    let lag = |text: &str| {
        let reads = text.char_indices().filter(|(_, word)| *word == 'r');
        reads.map(|(place, _)| place - text[..place].rfind('w').unwrap()).max().unwrap()
    };
    all.into_iter().map(|(text, weight)| (text.clone(), weight, lag(&text))).collect()
}

#[test]
fn tables_have_the_probabilities_of_all_programs() {
    for ignore in [0.8, 0.1, 0.34] {
        for instructions in [2, 3, 5, 9] {
            let law = Law::new(ignore, instructions, instructions - 1);
            let mut exact = vec![0.0; instructions];
            programs(ignore, instructions).into_iter().for_each(|(_, weight, lag)| exact[lag] += weight);
            for (lag, exact) in exact.into_iter().enumerate() {
                let found = law.probability(lag, instructions);
                assert!((found - exact).abs() < 1e-14, "{ignore} {instructions} {lag}: {found}, not {exact}");
            }
        }
    }
}

/// Some lag is the longest, so that the probabilities of all add up to that of a read at the end.
#[test]
fn tables_of_long_programs_add_up() {
    for ignore in [0.98, 0.8, 0.1, 0.01] {
        let law = Law::new(ignore, 256, 255);
        let total: f64 = (0..=255).map(|lag| law.probability(lag, 256)).sum();
        assert!((total / ((1.0 - ignore) / 2.0) - 1.0).abs() < 1e-10, "{ignore}: {total}");
    }
}

#[test]
fn programs_are_drawn_by_their_probability() {
    let count = 40_000;
    for (ignore, instructions, lag) in [(0.8, 6, 2), (0.8, 6, 1), (0.34, 6, 3), (0.1, 5, 4), (0.5, 7, 4)] {
        let law = Law::new(ignore, instructions, lag);
        let mut stream = Stream::new(1, "test", &[]);
        let (mut program, mut found) = (Vec::new(), BTreeMap::new());
        for _ in 0..count {
            law.draw(lag, instructions, &mut stream, &mut program);
            let text: String = program.iter().map(|operation: &Operation| operation.word()).collect();
            *found.entry(text).or_insert(0) += 1;
        }
        let exact: Vec<_> =
            programs(ignore, instructions).into_iter().filter(|(.., longest)| *longest == lag).collect();
        assert!(found.keys().all(|text| exact.iter().any(|(other, ..)| other == text)));
        let total: f64 = exact.iter().map(|(_, weight, _)| weight).sum();
        for (text, weight, _) in exact {
            let share = weight / total;
            let deviation = (share * (1.0 - share) / count as f64).sqrt();
            let share_found = f64::from(found.get(&text).copied().unwrap_or(0)) / count as f64;
            assert!((share_found - share).abs() < 4.5 * deviation + 1e-9, "{text}: {share_found}, not {share}");
        }
    }
}

/// The task that draws the published law in training, and 20,000 of its instances.
fn published(ignore: f64) -> (Box<dyn Task>, Vec<haltbench_sdk::task::Instance>) {
    let law = ("size_law", Value::Text("sampler".into()));
    let task = configured(&[number("maximum_lag", 31), probability(ignore), law]).unwrap();
    let mut sizes = Stream::new(0, "test", &[]);
    let drawn = (0..20_000).map(|seed| draw(&*task, task.training_size(&mut sizes), seed)).collect();
    (task, drawn)
}

fn agree(found: f64, share: f64, count: usize, what: &str) {
    let deviation = (share * (1.0 - share) / count as f64).sqrt();
    assert!((found - share).abs() < 4.0 * deviation + 1e-9, "{what}: {found}, not {share}");
}

/// The lag of the last read is geometric, cut off by the write at the start.
#[test]
fn lags_are_geometric() {
    for ignore in [0.8, 0.1] {
        let (task, drawn) = published(ignore);
        let mut found = [0.0; 32];
        let lag = |instance| *column(&*task, instance, "lag").last().unwrap() as usize;
        drawn.iter().for_each(|instance| found[lag(instance)] += 1.0 / drawn.len() as f64);
        let write = (1.0 - ignore) / 2.0;
        for (lag, found) in found.into_iter().enumerate().skip(1) {
            let share = (1.0_f64 - write).powi(lag as i32 - 1) * if lag == 31 { 1.0 } else { write };
            agree(found, share, drawn.len(), &format!("{ignore}, lag {lag}"));
        }
    }
}

/// Between the first and the last, instructions are independent and alike, and bits are uniform.
#[test]
fn instructions_follow_the_published_law() {
    let ignore = 0.8;
    let (_, drawn) = published(ignore);
    let operations = |instance: &haltbench_sdk::task::Instance| -> Vec<u32> {
        instance.tokens[1..].iter().step_by(2).copied().collect()
    };
    let shares = [(1, 0.1), (2, 0.1), (3, 0.8)];
    for place in [1, 2, 15, 29, 30] {
        for (token, share) in shares {
            let count = drawn.iter().filter(|instance| operations(instance)[place] == token).count();
            agree(count as f64 / drawn.len() as f64, share, drawn.len(), &format!("operation {token} at {place}"));
        }
    }
    for ((first, p), (second, q)) in shares.into_iter().flat_map(|a| shares.map(|b| (a, b))) {
        let both = |instance: &&haltbench_sdk::task::Instance| {
            let operations = operations(instance);
            (operations[9], operations[10]) == (first, second)
        };
        let count = drawn.iter().filter(both).count();
        agree(count as f64 / drawn.len() as f64, p * q, drawn.len(), &format!("{first} then {second}"));
    }
    for token in [2, 20, 64] {
        let ones = drawn.iter().filter(|instance| instance.tokens[token] == 5).count();
        agree(ones as f64 / drawn.len() as f64, 0.5, drawn.len(), &format!("ones at {token}"));
    }
}

/// Of the instructions between a write and the last read, none is a write; half of the ignored bits differ.
#[test]
fn distractors_and_conflicts_are_binomial() {
    let (task, drawn) = published(0.8);
    let lasts = |name: &str| -> Vec<f64> {
        drawn.iter().map(|instance| f64::from(*column(&*task, instance, name).last().unwrap())).collect()
    };
    let (lags, distractors, conflicts) = (lasts("lag"), lasts("distractors"), lasts("conflicts"));
    let between: f64 = lags.iter().map(|lag| lag - 1.0).sum();
    agree(distractors.iter().sum::<f64>() / between, 0.8 / 0.9, between as usize, "distractors");
    let ignored: f64 = distractors.iter().sum();
    agree(conflicts.iter().sum::<f64>() / ignored, 0.5, ignored as usize, "conflicts");
    // The bit before the last read is right after a write or a read, and half of the time after an ignore.
    let preceding = lasts("preceding_bit").into_iter().zip(lasts("stored_bit")).filter(|(a, b)| a == b).count();
    agree(preceding as f64 / drawn.len() as f64, 0.2 + 0.8 / 2.0, drawn.len(), "preceding bits");
}
