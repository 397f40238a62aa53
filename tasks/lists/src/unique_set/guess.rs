//! Guesses that do not compare elements.

use std::collections::BTreeSet;

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::elements::Elements;
use crate::question;
use crate::sequence::{EOS, token};

/// What follows the element listed before, as if no element were repeated.
pub fn next_element(elements: Elements) -> impl Guess {
    RandomValid {
        name: "next-element",
        documentation: "The element after the first occurrence of the one listed before, `<eos>` after the last.",
        choices: move |instance: &Instance| {
            let (list, answer) = texts(instance, elements);
            let after = |element: &u32| {
                let place = list.iter().position(|other| other == element);
                place.and_then(|place| list.get(place + 1)).map_or(EOS, |next| token(*next))
            };
            let first = list.first().map_or(EOS, |element| token(*element));
            [first].into_iter().chain(answer.iter().map(after)).map(|token| vec![token]).collect()
        },
    }
}

/// Any element of the list that is not listed yet.
pub fn random_unlisted(elements: Elements) -> impl Guess {
    RandomValid {
        name: "random-unlisted",
        documentation: "Any element of the list that is not listed yet, all equally likely; `<eos>` after all.",
        choices: move |instance: &Instance| {
            let (list, answer) = texts(instance, elements);
            let all: BTreeSet<u32> = list.into_iter().collect();
            let unlisted = |listed: usize| -> Vec<u32> {
                all.iter()
                    .filter(|element| !answer[..listed].contains(element))
                    .map(|element| token(*element))
                    .collect()
            };
            let choices = (0..=answer.len()).map(unlisted);
            choices.map(|choices| if choices.is_empty() { vec![EOS] } else { choices }).collect()
        },
    }
}

/// List and answer of an instance, whose texts always parse.
fn texts(instance: &Instance, elements: Elements) -> (Vec<u32>, Vec<u32>) {
    let list = question::read(&instance.question, elements).unwrap_or_default();
    (list, instance.answer.split(' ').filter_map(|word| elements.read(word)).collect())
}
