//! Names: which are valid, their order, and their distribution.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;

use haltbench_sdk::nodes::Names;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::text::Text;

fn drawn(names: &Names, count: usize, seed: u64) -> Vec<u32> {
    names.draw(count, &mut Draws::new(&mut Stream::new(seed, "names", &[])))
}

#[test]
fn names_are_read_as_they_are_written() {
    for names in [Names::new(4, 2, 4, 7), Names::new(60, 1, 1, 7), Names::new(3, 5, 7, 7), Names::new(2, 1, 8, 7)] {
        let numbers = drawn(&names, 50, 1);
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 50);
        for number in numbers {
            let name = names.get(number);
            let mut text = Text::over(&mut String::new(), 8);
            text.label(&name.label);
            let text = text.finish();
            assert_eq!(names.read(&text), Some(number), "{text}");
            let words: String =
                name.tokens[..name.length].iter().map(|token| names.words()[*token as usize - 7].as_str()).collect();
            assert_eq!(words, text);
        }
    }
}

#[test]
fn names_are_ordered_by_their_tokens() {
    let names = Names::new(20, 1, 3, 0);
    // Tokens that continue a name come before tokens that end one.
    let ordered = ["2.1.1", "2.3", "2.20", "10.1", "1", "2", "10"];
    let numbers: Vec<u32> = ordered.iter().map(|word| names.read(word).unwrap()).collect();
    assert!(numbers.is_sorted_by(|left, right| left < right), "{numbers:?}");
    let numbers = Names::new(20, 1, 1, 0);
    assert!((1..=20).all(|number| numbers.read(&number.to_string()) == Some(number - 1)));
}

#[test]
fn there_are_as_many_names_as_counted() {
    for (letters, shortest, longest, count) in [(4, 2, 4, 336), (60, 1, 1, 60), (3, 5, 7, 243 + 729 + 2187)] {
        assert_eq!(Names::count(letters, shortest, longest), count);
        let names = Names::new(letters, shortest, longest, 0);
        // All of them can be drawn at once.
        let numbers: BTreeSet<u32> = drawn(&names, count as usize, 2).into_iter().collect();
        assert_eq!(numbers.len() as u64, count);
        assert_eq!(numbers.last().copied(), Some(count as u32 - 1));
    }
    assert_eq!(Names::count(1000, 1, 8), u64::MAX);
}

/// 375 distinct names of one or two tokens over 50 numbers have 1.867 tokens on average: there are too few short names.
#[test]
fn short_names_run_out() {
    let names = Names::new(50, 1, 2, 0);
    let tokens = |seed| drawn(&names, 375, seed).iter().map(|number| names.get(*number).length).sum::<usize>();
    let mean = (0..200).map(tokens).sum::<usize>() as f64 / (200.0 * 375.0);
    assert!((mean - 1.867).abs() < 0.001, "{mean}");
}

#[test]
fn names_go_on_like_those_that_start_alike() {
    let names = Names::new(3, 1, 3, 10);
    let number = |word: &str| names.read(word).unwrap();
    // `1.` to `3.` are the tokens 10 to 12, `1` to `3` are 13 to 15.
    let candidates = ["1.2", "1.2.3", "1.1", "2"].map(number);
    let found = names.continuations(number("1.2.3"), &candidates);
    let sorted = |tokens: &Vec<u32>| {
        let mut tokens = tokens.clone();
        tokens.sort_unstable();
        tokens
    };
    let found: Vec<Vec<u32>> = found.iter().map(sorted).collect();
    assert_eq!(found, [vec![10, 10, 10, 14], vec![11, 13, 14], vec![15]]);
}

#[test]
fn names_that_start_alike_follow_each_other() {
    for (letters, shortest, longest) in [(3, 1, 3), (2, 4, 8), (9, 1, 1)] {
        let names = Names::new(letters, shortest, longest, 10);
        let all: Vec<u32> = (0..Names::count(letters, shortest, longest) as u32).collect();
        for number in all.iter().step_by(7) {
            let own = &names.get(*number).tokens;
            for place in 0..names.get(*number).length {
                let same = all.iter().filter(|other| names.get(**other).tokens[..place] == own[..place]);
                let found: Vec<u32> = names.alike(*number, place).collect();
                assert_eq!(found, same.copied().collect::<Vec<u32>>(), "{number} {place}");
            }
        }
    }
}
