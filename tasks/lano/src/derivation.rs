//! A random derivation: its string, and the starts and ends of its constituents.

use haltbench_sdk::random::Stream;

use crate::grammar::{Grammar, Terminal};

/// A string with the constituents of one derivation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derivation {
    /// The string.
    pub string: Vec<Terminal>,
    /// For every token, the number of non-terminals whose span ends there.
    pub closes: Vec<usize>,
    /// For every token and every level from the root to the one above the terminals, the start of the token's
    /// constituent at that level.
    starts: Vec<usize>,
    depth: usize,
}

impl Derivation {
    /// Draws a derivation: alternatives are equally likely and independent.
    pub fn draw(grammar: &Grammar, stream: &mut Stream) -> Self {
        let depth = grammar.depth();
        let mut derivation = Self { depth, ..Self::default() };
        derivation.expand(0, &mut vec![0; depth], grammar, stream);
        derivation
    }

    /// Appends the yield of `symbol`. `open` has the start of the open constituent of every level.
    fn expand(&mut self, symbol: usize, open: &mut [usize], grammar: &Grammar, stream: &mut Stream) {
        if let Some(terminal) = grammar.terminal(symbol) {
            self.string.push(terminal);
            self.closes.push(0);
            self.starts.extend_from_slice(open);
            return;
        }
        open[grammar.level(symbol)] = self.string.len();
        // Nesting is only as deep as the grammar's levels.
        for child in stream.choose(grammar.alternatives(symbol)) {
            self.expand(*child, open, grammar, stream);
        }
        if let Some(last) = self.closes.last_mut() {
            *last += 1;
        }
    }

    /// The start of the constituent of `level` that token `index` belongs to.
    pub fn start(&self, index: usize, level: usize) -> usize {
        self.starts[index * self.depth + level]
    }

    /// Number of non-terminals whose span starts at token `index`.
    pub fn opens(&self, index: usize) -> usize {
        (0..self.depth).filter(|level| self.start(index, *level) == index).count()
    }

    /// Distance from the start of the innermost constituent that began before token `index`; `None` for the first
    /// token.
    pub fn lookback(&self, index: usize) -> Option<usize> {
        (0..self.depth).rev().map(|level| index - self.start(index, level)).find(|distance| *distance > 0)
    }
}
