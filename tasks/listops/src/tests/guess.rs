//! The guess that ignores nested lists.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use super::{by_height, draw, listops, stream};

fn guess(task: &dyn Task, instance: &Instance, name: &str) -> Vec<String> {
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
    let tokens = guess.tokens(instance, &mut Stream::new(0, "test", &[]));
    tokens.iter().map(|token| task.spec().vocabulary[*token as usize].clone()).collect()
}

#[test]
fn nested_lists_are_ignored() {
    let question = "[SM 3 [MED 1 5 8 2 ] [MAX [MIN 9 6 ] 4 ] 9 ]".to_owned();
    let instance = Instance { question, ..Instance::default() };
    assert_eq!(guess(&*stream(), &instance, "own-digits"), ["3", "6", "4", "2"]);
    assert_eq!(guess(&*listops(), &instance, "own-digits"), ["2"]);
    let question = "[SM [MED 1 5 8 2 ] [MIN 9 6 ] ]".to_owned();
    let guessed = guess(&*listops(), &Instance { question, ..Instance::default() }, "own-digits");
    assert!(guessed.len() == 1 && guessed[0].parse::<u8>().is_ok());
}

/// Lists without nested ones are guessed right.
#[test]
fn flat_lists_are_guessed_right() {
    for task in [by_height(), stream()] {
        for seed in 0..50 {
            let instance = draw(&*task, 1, seed);
            assert_eq!(guess(&*task, &instance, "own-digits"), [instance.answer]);
        }
    }
}

/// Height says less about difficulty than dependency depth.
#[test]
fn high_expressions_are_often_guessed_right() {
    for (task, lowest, highest) in [(by_height(), 0.38, 0.47), (listops(), 0.11, 0.17)] {
        let count = 2000;
        let right = |seed: &u64| {
            let instance = draw(&*task, 5, *seed);
            guess(&*task, &instance, "own-digits") == [instance.answer]
        };
        let share = (0..count).filter(right).count() as f64 / count as f64;
        assert!((lowest..highest).contains(&share), "{share}");
    }
}
