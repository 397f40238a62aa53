//! Guesses against the probabilities with which carries matter.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{addition, configured, draw};
use haltbench_sdk::parameters::Value;

/// Share of correct digits of a guess.
fn share(task: &dyn Task, name: &str, size: u32) -> f64 {
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
    let (mut right, mut all) = (0.0, 0.0);
    for seed in 0..4000 {
        let instance = draw(task, size, seed);
        let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
        for (answer, guess) in instance.answers().zip(guessed) {
            right += f64::from(u8::from(answer == guess));
            all += 1.0;
        }
    }
    right / all
}

/// `no-carry` is wrong where a carry enters, `next-carry` where one enters through a nine.
#[test]
fn guesses_are_wrong_where_carries_come_from_below() {
    for probability in [0.1, 0.5] {
        for first in ["most", "least"] {
            let given = [("nine_probability", Value::Real(probability)), ("first_digit", Value::Text(first.into()))];
            let task = configured(&given).unwrap();
            let size = 6;
            let mut carries = vec![0.0];
            (0..size as usize).for_each(|place| carries.push((1.0 - probability) / 2.0 + probability * carries[place]));
            let mean = |values: &[f64]| values.iter().sum::<f64>() / f64::from(size + 1);
            let [none, next] = ["no-carry", "next-carry"].map(|name| share(&*task, name, size));
            let expected = 1.0 - mean(&carries);
            assert!((none - expected).abs() < 0.015, "{none}, not {expected}");
            let expected = 1.0 - probability * mean(&carries[..size as usize]);
            assert!((next - expected).abs() < 0.015, "{next}, not {expected}");
        }
    }
}

#[test]
fn guesses_without_padding_end_like_numbers() {
    let task = addition("most", false);
    let guesses = task.guesses(&[]);
    for seed in 0..500 {
        let instance = draw(&*task, 5, seed);
        let carry = super::column(&*task, &instance, "carry");
        let nothing_carried = instance.graded().all(|token| carry[token] != 1.0);
        for guess in guesses.iter().filter(|guess| guess.name().ends_with("-carry")) {
            let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
            assert!(!nothing_carried || guessed == instance.answers().collect::<Vec<_>>(), "{}", instance.question);
        }
    }
    assert!(share(&*task, "next-carry", 5) > 0.8);
    assert!(share(&*addition("least", false), "next-carry", 5) > 0.9);
}
