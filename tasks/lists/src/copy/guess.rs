//! A guess that looks at one token of context.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::elements::Elements;
use crate::question;
use crate::sequence::{EOS, token};

/// What follows any occurrence of the element copied before.
pub fn after_the_same(elements: Elements) -> impl Guess {
    RandomValid {
        name: "after-the-same",
        documentation: "What follows an occurrence in the list of the element copied before, all occurrences equally \
                        likely; the list's first element at the start.",
        choices: move |instance: &Instance| {
            // Questions of instances always parse.
            let list = question::read(&instance.question, elements).unwrap_or_default();
            let following = |place: usize| list.get(place + 1).map_or(EOS, |next| token(*next));
            let first = list.first().map(|element| vec![token(*element)]);
            let after = |element: &u32| -> Vec<u32> {
                (0..list.len()).filter(|place| list[*place] == *element).map(following).collect()
            };
            first.into_iter().chain(list.iter().map(after)).collect()
        },
    }
}
