//! The solver: doubles the successor function, and composes the hops from their binary digits.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::{Error, Result};

use crate::hops::Hops;
use crate::question;

/// The answers to all questions.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word of the question.
pub fn answer(question: &str, names: &Names, hops: &Hops) -> Result<String> {
    let question = question::read(question, names, hops)?;
    let nodes: Vec<u32> = question.successors.keys().copied().collect();
    let place = |node: &u32| nodes.binary_search(node).map_err(|_| Error::contract("depo", "the cycle is not closed"));
    let mut leap = question.successors.values().map(place).collect::<Result<Vec<usize>>>()?;
    let mut at = question.queries.iter().map(|(start, _)| place(start)).collect::<Result<Vec<usize>>>()?;
    let most = question.queries.iter().map(|(_, hops)| *hops).max().unwrap_or(0);
    for digit in 0..u64::BITS - most.leading_zeros() {
        for (at, (_, hops)) in at.iter_mut().zip(&question.queries) {
            if hops >> digit & 1 == 1 {
                *at = leap[*at];
            }
        }
        leap = leap.iter().map(|next| leap[*next]).collect();
    }
    let words: Vec<&str> = at.into_iter().filter_map(|place| question.words.get(&nodes[place]).copied()).collect();
    Ok(words.join(" "))
}
