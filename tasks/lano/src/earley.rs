//! An Earley recogniser: top-down, without probabilities, on the grammar as written.
//!
//! The checker uses it. It shares the grammar with the parser, but neither the normal form nor the chart.

use std::collections::BTreeSet;

use crate::grammar::{Grammar, Terminal};

/// An alternative of a symbol that began at some token and is read up to a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    symbol: usize,
    alternative: usize,
    dot: usize,
    start: usize,
}

/// The result of a recogniser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The string is in the language.
    Complete,
    /// The string is a prefix, but not a string, of the language.
    Incomplete,
    /// No string continues with the token at this index, 0-based.
    Stuck(usize),
}

/// Reads `string` from left to right.
pub fn recognise(grammar: &Grammar, string: &[Terminal]) -> Finding {
    let mut sets = vec![predict(grammar, 0, 0, BTreeSet::new())];
    for (place, terminal) in string.iter().enumerate() {
        let expects =
            |item: &&Item| next_symbol(grammar, item).and_then(|symbol| grammar.terminal(symbol)) == Some(*terminal);
        let scanned: Vec<Item> =
            sets[place].iter().filter(expects).map(|item| Item { dot: item.dot + 1, ..*item }).collect();
        if scanned.is_empty() {
            return Finding::Stuck(place);
        }
        let set = close(grammar, place + 1, scanned, &sets);
        sets.push(set);
    }
    let whole = |item: &Item| item.symbol == 0 && item.start == 0 && next_symbol(grammar, item).is_none();
    if sets[string.len()].iter().any(whole) { Finding::Complete } else { Finding::Incomplete }
}

/// The symbol after the dot.
fn next_symbol(grammar: &Grammar, item: &Item) -> Option<usize> {
    grammar.alternatives(item.symbol)[item.alternative].get(item.dot).copied()
}

/// Completes and predicts until nothing new appears. No alternative is empty, so every completed item began in an
/// earlier set.
fn close(grammar: &Grammar, place: usize, mut agenda: Vec<Item>, sets: &[BTreeSet<Item>]) -> BTreeSet<Item> {
    let mut set = BTreeSet::new();
    while let Some(item) = agenda.pop() {
        if !set.insert(item) {
            continue;
        }
        match next_symbol(grammar, &item) {
            None => {
                let waits = |above: &&Item| next_symbol(grammar, above) == Some(item.symbol);
                let above = sets[item.start].iter().filter(waits);
                agenda.extend(above.map(|above| Item { dot: above.dot + 1, ..*above }));
            }
            Some(symbol) => set = predict(grammar, symbol, place, set),
        }
    }
    set
}

/// Adds every alternative that may start with `symbol` here.
fn predict(grammar: &Grammar, symbol: usize, place: usize, mut set: BTreeSet<Item>) -> BTreeSet<Item> {
    for (alternative, word) in grammar.alternatives(symbol).iter().enumerate() {
        if set.insert(Item { symbol, alternative, dot: 0, start: place }) {
            set = predict(grammar, word[0], place, set);
        }
    }
    set
}
