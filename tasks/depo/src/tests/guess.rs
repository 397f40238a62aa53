//! Guesses among the nodes of the cycle.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{depo, draw, released};

/// Share of correct tokens at `place` of an answer for a random node.
fn share(task: &dyn Task, size: u32, place: usize, length: usize) -> f64 {
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == "random-node").unwrap();
    let (mut right, mut all) = (0, 0);
    for seed in 0..1000 {
        let instance = draw(task, size, seed);
        let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
        for (answer, guess) in instance.answers().zip(guessed).skip(place).step_by(length) {
            right += usize::from(answer == guess);
            all += 1;
        }
    }
    right as f64 / all as f64
}

#[test]
fn a_random_node_is_right_once_in_n() {
    let share = share(&*depo(), 5, 0, 1);
    assert!((share - 0.2).abs() < 0.02, "{share}");
}

/// Names of five numbers out of 1 to 3, where the preceding tokens nearly always determine the last one.
#[test]
fn the_end_of_a_name_is_known_from_its_start() {
    let task = released(3, [5, 5], 20, 4);
    let (first, last) = (share(&*task, 20, 0, 5), share(&*task, 20, 4, 5));
    assert!((0.3..0.42).contains(&first), "{first}");
    assert!(last > 0.85, "{last}");
}
