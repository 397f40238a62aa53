//! Guesses that match no brackets.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

/// A random depth that as many brackets may lead to; `zero` is the token of depth 0, followed by the others.
pub fn random_possible_depth(zero: u32, most: usize) -> impl Guess {
    RandomValid {
        name: "random-possible",
        documentation: "Any depth that as many brackets may lead to, all equally likely: even after an even number of \
                        them, odd after an odd one.",
        choices: move |instance: &Instance| {
            let depths = |count: usize| (0..=most.min(count)).filter(move |depth| (count - depth).is_multiple_of(2));
            let choices = (1..=instance.answers().count()).map(depths);
            choices.map(|depths| depths.map(|depth| zero + depth as u32).collect()).collect()
        },
    }
}

/// The kind of the nearest opening bracket; `opening` and `closing` are the tokens of the first kind of both.
pub fn nearest_opening([opening, closing]: [u32; 2], kinds: usize) -> impl Guess {
    RandomValid {
        name: "nearest-opening",
        documentation: "The kind of the last opening bracket before, whether it is still open or not.",
        choices: move |instance: &Instance| {
            let mut nearest = closing;
            let mut choices = Vec::new();
            for (token, is_answered) in instance.tokens.iter().zip(&instance.loss_mask) {
                if let Some(kind) = token.checked_sub(opening).filter(|kind| *kind < kinds as u32) {
                    nearest = closing + kind;
                }
                if *is_answered {
                    choices.push(vec![nearest]);
                }
            }
            choices
        },
    }
}
