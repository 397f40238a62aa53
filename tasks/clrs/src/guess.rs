//! Guesses that know the format of an answer: they guess entries and know the text between them.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::Guess;

use crate::answer::write_number;
use crate::check::size;
use crate::input::Input;
use crate::published::{Algorithm, Layout, Row};
use crate::{question, tokens};

/// Guesses entries, each at the start of the correct one.
struct Entries<F> {
    name: &'static str,
    documentation: &'static str,
    /// The guessed entries for an input; its third argument is their number.
    guess: F,
}

impl<F: Fn(&Row, &Input, usize, &mut Stream) -> Vec<String>> Guess for Entries<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn documentation(&self) -> &'static str {
        self.documentation
    }

    fn tokens(&self, instance: &Instance, stream: &mut Stream) -> Vec<u32> {
        let places = places(&instance.answer);
        // Questions of instances always parse.
        let entries = question::read(&instance.question)
            .map(|(row, input)| (self.guess)(row, &input, places.len(), stream))
            .unwrap_or_default();
        let mut guessed = instance.answer.clone().into_bytes();
        for (place, entry) in places.into_iter().zip(entries) {
            // An entry does not reveal its length in advance: a longer guess is also wrong about the end.
            let after = guessed[place.end];
            let mut characters = entry.bytes();
            guessed[place.start..=place.end].fill_with(|| characters.next().unwrap_or(after));
        }
        tokens::encode(&String::from_utf8_lossy(&guessed)).split_off(1)
    }
}

/// The byte ranges of an answer's entries. Something follows each of them, at least the line end.
fn places(answer: &str) -> Vec<Range<usize>> {
    let words = answer.split([' ', ',', '[', ']', '\n']).filter(|word| !word.is_empty());
    let start = |word: &str| word.as_ptr() as usize - answer.as_ptr() as usize;
    words.map(|word| start(word)..start(word) + word.len()).collect()
}

/// The most frequent key, with ties going to the first.
fn most<T: Ord + Clone>(counts: &BTreeMap<T, u64>) -> Option<T> {
    counts.iter().rev().max_by_key(|(_, count)| **count).map(|(value, _)| value.clone())
}

/// The most frequent training answer for the algorithm and the size.
pub fn most_frequent(training: &[Instance]) -> impl Guess + use<> {
    let mut answers: BTreeMap<(Algorithm, usize), BTreeMap<Vec<String>, u64>> = BTreeMap::new();
    let mut entries: BTreeMap<Algorithm, BTreeMap<String, u64>> = BTreeMap::new();
    for instance in training {
        let Ok((row, input)) = question::read(&instance.question) else { continue };
        let words = places(&instance.answer).into_iter().map(|place| instance.answer[place].to_owned());
        let words: Vec<String> = words.collect();
        let of_algorithm = entries.entry(row.algorithm).or_default();
        words.iter().for_each(|word| *of_algorithm.entry(word.clone()).or_default() += 1);
        *answers.entry((row.algorithm, size(&input))).or_default().entry(words).or_default() += 1;
    }
    let answers: BTreeMap<_, _> = answers.iter().map(|(key, counts)| (*key, most(counts))).collect();
    let entries: BTreeMap<_, _> = entries.iter().map(|(key, counts)| (*key, most(counts))).collect();
    Entries {
        name: "most-frequent-answer",
        documentation: "The answer that training has most often for this algorithm and size; at a size that training \
                        does not have, the algorithm's most frequent entry, over and over.",
        guess: move |row: &Row, input: &Input, count: usize, _: &mut Stream| {
            let known = answers.get(&(row.algorithm, size(input))).cloned().flatten();
            known.unwrap_or_else(|| {
                let entry = entries.get(&row.algorithm).cloned().flatten();
                vec![entry.unwrap_or_else(|| "0".to_owned()); count]
            })
        },
    }
}

/// A random answer in the correct format.
pub fn random() -> impl Guess {
    Entries {
        name: "random-entries",
        documentation: "Any value that an entry of an answer to this question can have, all equally likely; keys in \
                        any order.",
        guess: |row: &Row, input: &Input, count: usize, stream: &mut Stream| match (row.layout, input) {
            (Layout::Keys, Input::Keys(keys)) => {
                let mut keys = keys.clone();
                stream.shuffle(&mut keys);
                let text = |key: &f64| {
                    let mut text = String::new();
                    write_number(&mut text, *key);
                    text
                };
                keys.iter().map(text).collect()
            }
            _ => {
                let side = count.isqrt();
                let draw = |entry: usize| {
                    let values = possible(row, input, entry / side, entry % side);
                    let span = (values.end() - values.start() + 1) as u64;
                    (values.start() + stream.below(span) as i64).to_string()
                };
                (0..count).map(draw).collect()
            }
        },
    }
}

/// The possible values of an entry, which depend on its place in matrices.
fn possible(row: &Row, input: &Input, from: usize, to: usize) -> RangeInclusive<i64> {
    use Algorithm as A;
    let nothing = |value: i64| value..=value;
    match (row.algorithm, input) {
        (A::Bridges, Input::Graph(graph)) if from != to && !graph.has(from, to) => nothing(-1),
        (A::MstKruskal, Input::Graph(graph)) if !graph.has(from, to) => nothing(0),
        (A::Bridges | A::MstKruskal, _) if from == to => nothing(0),
        (A::LcsLength, Input::Strings { first, .. }) if from >= first.len() || to < first.len() => nothing(-1),
        (A::LcsLength, _) => 0..=2,
        (A::MatrixChainOrder | A::OptimalBst, _) if from < to && (from > 0 || row.algorithm == A::OptimalBst) => {
            from as i64..=to as i64 - 1
        }
        (A::MatrixChainOrder | A::OptimalBst, _) => nothing(0),
        (A::NaiveStringMatcher | A::KmpMatcher, Input::Strings { first, .. }) => 0..=first.len() as i64,
        (
            A::Bridges
            | A::MstKruskal
            | A::ArticulationPoints
            | A::ActivitySelector
            | A::TaskScheduling
            | A::GrahamScan
            | A::JarvisMarch
            | A::SegmentsIntersect,
            _,
        ) => 0..=1,
        _ => 0..=size(input) as i64 - 1,
    }
}
