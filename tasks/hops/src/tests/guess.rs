//! The guess that takes one hop.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{draw, fixed, forms};

fn share(task: &dyn Task) -> f64 {
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == "one-hop").unwrap();
    let (mut right, mut all) = (0.0, 0.0);
    for seed in 0..400 {
        let instance = draw(task, 60, seed);
        for (answer, guess) in instance.answers().zip(guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]))) {
            right += f64::from(u8::from(answer == guess));
            all += 1.0;
        }
    }
    right / all
}

#[test]
fn one_hop_is_right_where_one_is_asked_for() {
    for answers in ["every", "last"] {
        assert_eq!(share(&*fixed(1, answers)), 1.0);
        assert!(share(&*fixed(2, answers)) < 0.5);
    }
    for task in forms() {
        let share = share(&*task);
        assert!((0.1..0.5).contains(&share), "{share}");
    }
}
