//! Spans of a levelled grammar from the terminals up, on the grammar as written: the number of derivations of a string,
//! and its probability in log space. No normal form, no scaling.

use std::collections::BTreeMap;

use crate::grammar::{Grammar, Terminal};

/// A number type for summing over derivations.
trait Weight: Copy {
    /// One derivation without choices.
    const ONE: Self;
    /// The choice of one of `count` alternatives.
    fn choose(count: usize) -> Self;
    /// The product of two parts of a whole.
    fn both(self, other: Self) -> Self;
    /// The sum of two ways to build the same whole.
    fn either(self, other: Self) -> Self;
}

/// Counts saturate at the maximum.
impl Weight for u128 {
    const ONE: Self = 1;

    fn choose(_: usize) -> Self {
        1
    }

    fn both(self, other: Self) -> Self {
        self.saturating_mul(other)
    }

    fn either(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

/// The natural logarithm of a probability.
#[derive(Debug, Clone, Copy)]
struct Logarithm(f64);

impl Weight for Logarithm {
    const ONE: Self = Self(0.0);

    fn choose(count: usize) -> Self {
        Self(-(count as f64).ln())
    }

    fn both(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    fn either(self, other: Self) -> Self {
        let (low, high) = if self.0 < other.0 { (self.0, other.0) } else { (other.0, self.0) };
        Self(high + (low - high).exp().ln_1p())
    }
}

/// For every start, the ends that a symbol reaches, with weights.
type Spans<W> = Vec<BTreeMap<usize, W>>;

/// Number of derivation trees of `string`; saturates at `u128::MAX`.
pub fn derivations(grammar: &Grammar, string: &[Terminal]) -> u128 {
    whole(grammar, string).unwrap_or_default()
}

/// Natural logarithm of the probability of `string`; minus infinity outside the language.
pub fn ln_probability(grammar: &Grammar, string: &[Terminal]) -> f64 {
    whole(grammar, string).map_or(f64::NEG_INFINITY, |Logarithm(logarithm)| logarithm)
}

/// The weight of the root's span over the whole string.
fn whole<W: Weight>(grammar: &Grammar, string: &[Terminal]) -> Option<W> {
    let nonterminals = grammar.nonterminals();
    let mut spans: Vec<Spans<W>> = vec![vec![BTreeMap::new(); string.len()]; nonterminals + grammar.terminals().len()];
    for (start, terminal) in string.iter().enumerate() {
        spans[nonterminals + usize::from(*terminal)][start].insert(start + 1, W::ONE);
    }
    // Children have higher numbers than their parents.
    for symbol in (0..nonterminals).rev() {
        let choice = W::choose(grammar.alternatives(symbol).len());
        for start in 0..string.len() {
            let mut found = BTreeMap::new();
            for word in grammar.alternatives(symbol) {
                for (end, weight) in concatenate(word, start, choice, &spans) {
                    add(&mut found, end, weight);
                }
            }
            spans[symbol][start] = found;
        }
    }
    spans[0].first().and_then(|ends| ends.get(&string.len())).copied()
}

/// Possible ends of the symbols of `word`, one after the other from `start` on.
fn concatenate<W: Weight>(word: &[usize], start: usize, choice: W, spans: &[Spans<W>]) -> BTreeMap<usize, W> {
    let mut ends = BTreeMap::from([(start, choice)]);
    for child in word {
        let mut next = BTreeMap::new();
        for (middle, before) in ends {
            for (end, weight) in spans[*child].get(middle).into_iter().flatten() {
                add(&mut next, *end, before.both(*weight));
            }
        }
        ends = next;
    }
    ends
}

fn add<W: Weight>(ends: &mut BTreeMap<usize, W>, end: usize, weight: W) {
    ends.entry(end).and_modify(|known| *known = known.either(weight)).or_insert(weight);
}
