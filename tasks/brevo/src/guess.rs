//! A guess that follows the edges but ignores the query.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::Result;
use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::order::OrderRule;
use crate::question;

/// A random unprinted node of the whole graph whose predecessors are all printed; `end` after the answer's last node.
pub fn random_enabled(names: &Names, order: OrderRule, end: u32) -> impl Guess + '_ {
    RandomValid {
        name: "random-enabled",
        documentation: "Any node of the graph that is not printed and whose predecessors all are, whether the query \
                        depends on it or not, all equally likely; `<eos>` where the answer ends.",
        // Questions of instances always parse.
        choices: move |instance: &Instance| choices(instance, names, order, end).unwrap_or_default(),
    }
}

fn choices(instance: &Instance, names: &Names, order: OrderRule, end: u32) -> Result<Vec<Vec<u32>>> {
    let question = question::read(&instance.question, names)?;
    let mut predecessors: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for [from, to] in &question.edges {
        predecessors.entry(from.key).or_default();
        predecessors.entry(to.key).or_default().insert(from.key);
    }
    if order == OrderRule::Canonical {
        // The guess knows that the query is not printed.
        predecessors.remove(&question.query.key);
    }
    let mut printed = BTreeSet::new();
    let mut choices = Vec::with_capacity(instance.tokens.len());
    for node in instance.answer.split(' ').filter_map(|word| names.read(word)) {
        let waiting = predecessors.iter().filter(|(node, _)| !printed.contains(*node));
        let enabled: Vec<u32> =
            waiting.filter(|(_, before)| before.is_subset(&printed)).map(|(node, _)| *node).collect();
        choices.extend(names.continuations(node, &enabled));
        printed.insert(node);
    }
    choices.push(vec![end]);
    Ok(choices)
}
