//! Guesses against the sizes of the commutator subgroups.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{draw, padded_words_of, words_of};

/// Share of answers that the guess has right; `None` if the task has no such guess.
fn share(task: &dyn Task, size: u32) -> Option<f64> {
    let training: Vec<_> = (0..4).map(|seed| draw(task, 4, 1000 + seed)).collect();
    let guesses = task.guesses(&training);
    let guess = guesses.iter().find(|guess| guess.name() == "random-reordered")?;
    let (mut right, mut all) = (0, 0);
    for seed in 0..1500 {
        let instance = draw(task, size, seed);
        let guessed = guess.tokens(&instance, &mut Stream::new(seed, "guess", &[]));
        right += instance.answers().zip(guessed).filter(|(answer, guess)| answer == guess).count();
        all += instance.answers().count();
    }
    Some(f64::from(u32::try_from(right).unwrap()) / all as f64)
}

#[test]
fn what_commutes_is_known() {
    for (group, expected) in [("a4xz5", 1.0 / 4.0), ("a5", 1.0 / 60.0), ("s5", 1.0 / 60.0)] {
        for (task, size) in [(words_of(group), 16), (padded_words_of(group), 8)] {
            let found = share(&*task, size).unwrap();
            // Products within a word are independent; 24,000 of them have a standard deviation below .003.
            assert!((found - expected).abs() < 0.015, "{group}: {found}");
        }
    }
    assert_eq!(share(&*words_of("z60"), 4), None);
}
