//! Guesses that match no brackets.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use super::{column, draw, dyck, equally_long, of_kinds};

/// Every answer with its guess, of some instances.
fn guessed(task: &dyn Task, name: &str, instance: &Instance, seed: u64) -> Vec<(u32, u32)> {
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
    instance.answers().zip(guess.tokens(instance, &mut Stream::new(seed, "guess", &[]))).collect()
}

/// After n brackets, one of the depths of the right parity up to the smaller one of n and 8.
#[test]
fn a_possible_depth_is_right_once_in_as_many() {
    let task = dyck();
    let count = 4000;
    let mut right = [0.0; 24];
    for seed in 0..count {
        let instance = draw(&*task, 12, seed);
        for (place, (answer, guess)) in guessed(&*task, "random-possible", &instance, seed).into_iter().enumerate() {
            assert!(answer.abs_diff(guess).is_multiple_of(2));
            right[place] += f64::from(u8::from(answer == guess)) / f64::from(count as u32);
        }
    }
    for (place, found) in right.iter().enumerate() {
        let most = 8.min(place + 1);
        let depths = (0..=most).filter(|depth| (place + 1 - depth).is_multiple_of(2)).count();
        assert!((found - 1.0 / depths as f64).abs() < 0.035, "{place}: {found}");
    }
}

/// The nearest opening bracket is right at distance 1, and otherwise as often as kinds agree.
#[test]
fn the_nearest_opening_bracket_is_right_at_distance_one() {
    for (task, kinds) in [(of_kinds(4, 5), 4.0), (equally_long(3), 3.0)] {
        let (mut right, mut all) = (0.0, 0.0);
        for seed in 0..600 {
            let instance = draw(&*task, 20, seed);
            let distance = column(&*task, &instance, "distance");
            let distances =
                (0..instance.tokens.len()).filter(|token| instance.loss_mask[*token]).map(|token| distance[token]);
            for (distance, (answer, guess)) in distances.zip(guessed(&*task, "nearest-opening", &instance, seed)) {
                assert!(distance > 1.0 || answer == guess);
                if distance > 1.0 {
                    right += f64::from(u8::from(answer == guess));
                    all += 1.0;
                }
            }
        }
        let share: f64 = right / all;
        assert!((share - 1.0 / kinds).abs() < 0.035, "{share}");
    }
}
