//! Guesses that know the form of answers.

use std::collections::BTreeMap;

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use super::properties::{alone, draw};
use crate::published::TABLE;
use crate::tokens;

/// The tokens of a guess, as text.
fn guess(task: &dyn Task, training: &[Instance], name: &str, instance: &Instance, seed: u64) -> String {
    let guesses = task.guesses(training);
    let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
    let guessed = guess.tokens(instance, &mut Stream::new(seed, "guess", &[]));
    assert_eq!(guessed.len(), instance.answers().count());
    let word = |token: &u32| match task.spec().vocabulary[*token as usize].as_str() {
        "<space>" => " ".to_owned(),
        "<newline>" => "\n".to_owned(),
        word => word.to_owned(),
    };
    guessed.iter().map(word).collect()
}

/// An instance with another answer to the same question.
fn answered(instance: &Instance, answer: &str) -> Instance {
    let tokens = tokens::encode(&format!("{}{answer}", instance.question));
    let asked = instance.question.len();
    Instance {
        loss_mask: (0..tokens.len()).map(|place| place > asked).collect(),
        targets: None,
        answer: answer.to_owned(),
        tokens,
        ..instance.clone()
    }
}

#[test]
fn the_most_frequent_answer_is_that_of_the_algorithm_and_the_size() {
    let names = ["segments_intersect", "articulation_points", "minimum"];
    let training: Vec<Instance> = names
        .iter()
        .flat_map(|name| [4, 5].map(|size| (name, size)))
        .flat_map(|(name, size)| (0..40).map(move |seed| draw(&*alone(name), size, seed)))
        .collect();
    for (place, name) in names.iter().enumerate() {
        for (part, size) in [(0, 4), (1, 5)] {
            let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
            // All instances of segments have one size.
            let parts = if *name == "segments_intersect" { 0..2 } else { part..part + 1 };
            for part in parts {
                let seen = &training[(2 * place + part) * 40..][..40];
                seen.iter().for_each(|instance| *counts.entry(&instance.answer).or_default() += 1);
            }
            let task = alone(name);
            let guess = guess(&*task, &training, "most-frequent-answer", &draw(&*task, size, 77), 0);
            assert_eq!(Some(&counts[guess.as_str()]), counts.values().max(), "{name}: {guess}");
        }
    }
    // For other sizes only single entries are known, and for other algorithms nothing.
    let task = alone("articulation_points");
    let unseen = guess(&*task, &training, "most-frequent-answer", &draw(&*task, 6, 0), 0);
    assert_eq!(unseen, "[0 0 0 0 0 0]\n\n");
    assert_eq!(guess(&*task, &[], "most-frequent-answer", &draw(&*task, 4, 0), 0), "[0 0 0 0]\n\n");
}

/// Random answers parse, and are correct at the expected rate.
#[test]
fn random_entries_have_the_form_of_answers() {
    for row in &TABLE {
        let task = alone(row.name);
        let (mut right, count) = (0, 300);
        for seed in 0..count {
            let instance = draw(&*task, 5, seed);
            let guess = guess(&*task, &[], "random-entries", &instance, seed);
            // Names of five nodes have equal lengths, but keys do not.
            let verdict = task.check(&instance.question, &guess).unwrap();
            let form = ["expected a number", "expected `", "expected the end"];
            let malformed = form.iter().any(|words| verdict.reason.contains(words));
            assert!(!malformed || row.layout == crate::published::Layout::Keys, "{guess}{}", verdict.reason);
            right += u64::from(verdict.valid);
        }
        let share = right as f64 / count as f64;
        let expected = match row.name {
            "segments_intersect" => 0.5,
            "minimum" | "quickselect" | "binary_search" => 0.2,
            _ => continue,
        };
        assert!((share - expected).abs() < 4.0 * 0.5 / (count as f64).sqrt(), "{}: {share}", row.name);
    }
}

#[test]
fn a_guess_does_not_depend_on_what_follows() {
    let task = alone("bfs");
    let instance = draw(&*task, 12, 0);
    for seed in 0..50 {
        let at = |answer: &str| guess(&*task, &[], "random-entries", &answered(&instance, answer), seed);
        let (short, long) = (at("[1 2 3 4 5 6 7 8 9 1 1 1]\n\n"), at("[1 2 3 10 5 6 7 8 9 1 1 1]\n\n"));
        // The answers differ in the fourth entry, and the guess is the same until the shorter one ends.
        assert!(short[..9] == long[..9], "{short}{long}");
    }
    // A longer entry than the correct one is wrong about its end; a shorter one is not.
    let guesses: Vec<String> = (0..300)
        .map(|seed| guess(&*task, &[], "random-entries", &answered(&instance, "[1 2 3 4 5 6 7 8 9 1 1 11]\n\n"), seed))
        .collect();
    assert!(
        guesses.iter().any(|guess| guess.starts_with("[10")) && guesses.iter().any(|guess| guess.starts_with("[9 "))
    );
    assert!(
        guesses.iter().any(|guess| guess.ends_with(" 10]\n\n"))
            && guesses.iter().any(|guess| guess.ends_with(" 9]]\n\n"))
    );
}
