//! Guesses that know the edges.

use std::collections::BTreeSet;

use haltbench_sdk::random::Stream;

use super::laws::share_error;
use super::{canonical, draw, released, spelled};

const COUNT: u64 = 2000;

/// Known rates for a random node of the whole graph that could be printed: valid at single positions, and valid at all
/// positions of a sequence.
#[test]
fn enabled_nodes_are_valid_as_often_as_known() {
    for (size, known, known_whole) in [(10, 0.785, 0.226), (30, 0.648, 0.0065)] {
        let task = released(i64::from(size));
        let guesses = task.guesses(&[]);
        let guess = guesses.iter().find(|guess| guess.name() == "random-enabled").unwrap();
        let (mut valid, mut all, mut whole) = (0, 0, 0);
        for seed in 0..COUNT {
            let instance = draw(&*task, size, seed);
            let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
            let answers: Vec<u32> = instance.answers().collect();
            let names = answers.len() - 1;
            let before = valid;
            for place in 0..names {
                let printed: BTreeSet<u32> = answers[..place].iter().copied().collect();
                assert!(!printed.contains(&guessed[place]));
                valid += usize::from(answers[place..names].contains(&guessed[place]));
            }
            all += names;
            whole += usize::from(valid - before == names);
            assert_eq!(guessed[names], answers[names]);
        }
        let share = valid as f64 / all as f64;
        assert!((share - known).abs() < 0.015, "{size}: {share}");
        let share = whole as f64 / COUNT as f64;
        let error = share_error(known_whole).hypot((share * (1.0 - share) / COUNT as f64).sqrt());
        assert!((share - known_whole).abs() < 4.0 * error, "whole sequences of {size}: {share}");
    }
}

#[test]
fn a_chain_leaves_nothing_to_guess() {
    for task in [canonical(), spelled("canonical"), spelled("any")] {
        let guesses = task.guesses(&[]);
        let guess = guesses.iter().find(|guess| guess.name() == "random-enabled").unwrap();
        // With three nodes in a chain, only one node can be printed at every position.
        let chain = (0..200).map(|seed| draw(&*task, 3, seed)).find(|instance| {
            let edges: Vec<&str> = instance.question.split(" ? ").next().unwrap().split(' ').collect();
            let ends: Vec<(&str, &str)> = edges.iter().map(|edge| edge.split_once('>').unwrap()).collect();
            edges.len() == 2 && (ends[0].1 == ends[1].0 || ends[1].1 == ends[0].0)
        });
        let instance = chain.unwrap();
        let guessed = guess.tokens(&instance, &mut Stream::new(0, "guess", &[]));
        assert_eq!(guessed, instance.answers().collect::<Vec<_>>(), "{}", instance.question);
    }
}
