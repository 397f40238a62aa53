//! A guess that does not follow the edges.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::hops::Hops;
use crate::question;

/// A random node of the cycle.
pub fn random_node<'a>(names: &'a Names, hops: &'a Hops) -> impl Guess + 'a {
    RandomValid {
        name: "random-node",
        documentation: "Any node of the cycle, all equally likely; at later tokens of a name any that starts like it.",
        choices: |instance: &Instance| {
            // Questions of instances always parse.
            let question = question::read(&instance.question, names, hops);
            let nodes: Vec<u32> = question.map(|found| found.successors.into_keys().collect()).unwrap_or_default();
            let answers = instance.answer.split(' ').filter_map(|word| names.read(word));
            answers.flat_map(|answer| names.continuations(answer, &nodes)).collect()
        },
    }
}
