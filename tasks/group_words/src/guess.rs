//! A guess that ignores the order of the elements.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

/// A random product of the same elements in some order, or with commuting ones between; `elements` are the tokens of
/// the elements by number, and `reorderings` has for every element those that it may be confused with.
pub fn random_reordered(first: u32, reorderings: Vec<Vec<usize>>) -> impl Guess {
    let choices: Vec<Vec<u32>> =
        reorderings.iter().map(|elements| elements.iter().map(|element| first + *element as u32).collect()).collect();
    RandomValid {
        name: "random-reordered",
        documentation: "Any element that agrees with the product up to commutators, all equally likely: what is known \
                        to a model that counts the elements but ignores their order. In s5 this is the sign.",
        choices: move |instance: &Instance| {
            instance.answers().map(|product| choices[(product - first) as usize].clone()).collect()
        },
    }
}
