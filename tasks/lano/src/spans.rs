//! Spans of a levelled grammar from the terminals up, without normal form: how many derivations a string has.

use std::collections::BTreeMap;

use crate::grammar::{Grammar, Terminal};

/// For every start, the ends that a symbol reaches with the number of its derivations.
type Spans = Vec<BTreeMap<usize, u128>>;

/// Number of derivation trees of `string`; counts stop at `u128::MAX`.
pub fn derivations(grammar: &Grammar, string: &[Terminal]) -> u128 {
    let nonterminals = grammar.nonterminals();
    let mut spans: Vec<Spans> = vec![vec![BTreeMap::new(); string.len()]; nonterminals + grammar.terminals().len()];
    for (start, terminal) in string.iter().enumerate() {
        spans[nonterminals + usize::from(*terminal)][start].insert(start + 1, 1);
    }
    // Children have higher numbers than their parents.
    for symbol in (0..nonterminals).rev() {
        for start in 0..string.len() {
            let mut found = BTreeMap::new();
            for word in grammar.alternatives(symbol) {
                for (end, count) in concatenate(word, start, &spans) {
                    let sum: &mut u128 = found.entry(end).or_default();
                    *sum = sum.saturating_add(count);
                }
            }
            spans[symbol][start] = found;
        }
    }
    spans[0].first().and_then(|ends| ends.get(&string.len())).copied().unwrap_or_default()
}

/// Where the symbols of `word` can end one after the other from `start` on.
fn concatenate(word: &[usize], start: usize, spans: &[Spans]) -> BTreeMap<usize, u128> {
    let mut ends = BTreeMap::from([(start, 1u128)]);
    for child in word {
        let mut next = BTreeMap::new();
        for (middle, before) in ends {
            for (end, count) in spans[*child].get(middle).into_iter().flatten() {
                let sum: &mut u128 = next.entry(*end).or_default();
                *sum = sum.saturating_add(before.saturating_mul(*count));
            }
        }
        ends = next;
    }
    ends
}
