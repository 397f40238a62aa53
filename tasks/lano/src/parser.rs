//! The incremental prefix parser.
//!
//! Nowak and Cotterell, "A Fast Algorithm for Computing Prefix Probabilities" (ACL 2023), token by token and skipping
//! zeros. i, j, k are positions between tokens, and E(Y|X) is the expected number of Y on the left edge of X:
//!
//! ```text
//! inside    b(i,k,X)   = sum over j, Z of g(i,j,X,Z) b(j,k,Z)           and b(k-1,k,T) = 1 for the token's preterminal T
//! waiting   g(i,j,X,Z) = sum over Y of p(X -> Y Z) b(i,j,Y)
//! expected  d(i,j,X,Z) = sum over Y of E(Y|X) g(i,j,Y,Z)
//! prefix    p(i,k,X)   = sum over j, Z of d(i,j,X,Z) p(j,k,Z)           and p(k-1,k,X) = E(T|X)
//! ```
//!
//! p(i,k,X) is the probability that the yield of X starts with the tokens from i to k. Items are not filtered by the
//! tokens before i, so strings that are not a prefix of any sentence are parsed like others. The outside probability
//! o(k,X) that the tokens before k are followed by an X is computed alongside; it gives the exact distribution of the
//! next token.
//!
//! After every token all probabilities are scaled by a power of two that keeps the probability of the prefix near 1:
//! strings of any length do not underflow, and scaling does not round.

use crate::chart::{Edge, Edges, Items};
use crate::grammar::Terminal;
use crate::normal_form::NormalForm;

/// The parser's cost of one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Number of inside and prefix items that became non-zero.
    pub expansion: usize,
    /// Number of non-zero prefix items of the grammar's own non-terminals: (level, symbol, start) hypotheses.
    pub live: usize,
    /// Number of additions of two non-zero numbers.
    pub additions: u64,
    /// Number of multiplications of two non-zero numbers.
    pub multiplications: u64,
}

/// The parser, after some tokens.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    form: &'a NormalForm,
    length: usize,
    inside: Items,
    prefix: Items,
    waiting: Edges,
    expected: Edges,
    /// o(k, X) at `k * symbols + X`.
    outside: Vec<f64>,
    /// Stored probabilities are multiplied by two to this power.
    exponent: i64,
    work: Work,
    starts: Vec<u32>,
    waiting_sums: Sums,
    expected_sums: Sums,
}

impl<'a> Parser<'a> {
    /// The parser before the first token.
    pub fn new(form: &'a NormalForm) -> Self {
        let mut parser = Self {
            form,
            length: 0,
            inside: Items::new(form),
            prefix: Items::new(form),
            waiting: Edges::new(form),
            expected: Edges::new(form),
            outside: Vec::new(),
            exponent: 0,
            work: Work::default(),
            starts: Vec::new(),
            waiting_sums: Sums::new(form.waiting.len()),
            expected_sums: Sums::new(form.expected.len()),
        };
        parser.restart();
        parser
    }

    /// Resets to before the first token. Buffers are kept, so the next string of this length allocates nothing.
    pub fn restart(&mut self) {
        self.length = 0;
        self.exponent = 0;
        self.work = Work::default();
        self.inside.clear(0);
        self.prefix.clear(0);
        for edges in [&mut self.waiting, &mut self.expected] {
            edges.clear();
            edges.seal();
        }
        self.outside.clear();
        self.outside.resize(self.form.symbols, 0.0);
        self.outside[0] = 1.0;
        self.predict();
    }

    /// Number of tokens read.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The cost of the last token.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Reads one token.
    pub fn advance(&mut self, terminal: Terminal) -> Work {
        let preterminal = self.form.preterminal(terminal);
        let mass = self.outside[self.length * self.form.symbols + preterminal];
        // Outside the language there is no mass to keep near 1: any factor close to a token's probability works.
        let exponent = if mass > 0.0 { -mass.log2().round() } else { 1.0 };
        self.exponent += exponent as i64;
        self.length += 1;
        self.work = Work::default();
        self.complete(preterminal, exponent.exp2());
        self.extend(preterminal, exponent.exp2());
        self.wait();
        self.predict();
        self.work.expansion = self.inside.count() + self.prefix.count();
        self.work.live = self.prefix.count_below(self.form.nonterminals);
        self.work
    }

    /// Inside items that end at the newest token.
    fn complete(&mut self, preterminal: usize, scale: f64) {
        let (form, items) = (self.form, &mut self.inside);
        items.clear(self.length);
        items.add(items.cell(self.length - 1, preterminal), form.ranks[preterminal], scale);
        for rank in (0..=form.highest_rank()).rev() {
            let mut index = 0;
            while let Some((start, symbol, value)) = items.nth(rank, index) {
                index += 1;
                for edge in self.waiting.waiting(start, symbol) {
                    self.work.multiplications += 1;
                    let sums = items.add(edge.cell as usize, edge.rank as usize, edge.weight * value);
                    self.work.additions += u64::from(sums);
                }
            }
        }
    }

    /// Prefix items that end at the newest token.
    fn extend(&mut self, preterminal: usize, scale: f64) {
        let (form, items) = (self.form, &mut self.prefix);
        items.clear(self.length);
        for symbol in 0..form.symbols {
            let expectation = form.left_corner[symbol * form.symbols + preterminal];
            if expectation > 0.0 {
                self.work.multiplications += 1;
                items.add(items.cell(self.length - 1, symbol), form.ranks[symbol], expectation * scale);
            }
        }
        for rank in (0..=form.highest_rank()).rev() {
            let mut index = 0;
            while let Some((start, symbol, value)) = items.nth(rank, index) {
                index += 1;
                for edge in self.expected.waiting(start, symbol) {
                    self.work.multiplications += 1;
                    let sums = items.add(edge.cell as usize, edge.rank as usize, edge.weight * value);
                    self.work.additions += u64::from(sums);
                }
            }
        }
    }

    /// Waiting and expected edges at the newest token, and the probabilities of the next symbol.
    fn wait(&mut self) {
        let form = self.form;
        self.starts.clear();
        self.starts.extend(self.inside.cells());
        // Sums are over items with the same start.
        self.starts.sort_unstable();
        let here = self.outside.len();
        self.outside.resize(here + form.symbols, 0.0);
        let mut first = 0;
        while let Some(cell) = self.starts.get(first) {
            let start = *cell as usize / form.symbols;
            let row = start * form.symbols;
            let count = self.starts[first..].iter().take_while(|cell| **cell as usize / form.symbols == start).count();
            for cell in &self.starts[first..first + count] {
                let (cell, symbol) = (*cell as usize, *cell as usize % form.symbols);
                for (place, probability) in form.by_left.of(symbol) {
                    self.work.multiplications += 1;
                    let sums = self.waiting_sums.add(*place, probability * self.inside.get(cell));
                    self.work.additions += u64::from(sums);
                }
            }
            first += count;
            let edge =
                |parent: usize, weight| Edge { cell: (row + parent) as u32, rank: form.ranks[parent] as u32, weight };
            for (place, weight) in self.waiting_sums.drain() {
                let entry = form.waiting[place];
                self.outside[here + entry.right] += self.outside[row + entry.parent] * weight;
                self.waiting.push(entry.right, edge(entry.parent, weight));
                for (corner, expectation) in form.corners_of.of(place) {
                    self.work.multiplications += 1;
                    let sums = self.expected_sums.add(*corner, expectation * weight);
                    self.work.additions += u64::from(sums);
                }
            }
            for (place, weight) in self.expected_sums.drain() {
                let entry = form.expected[place];
                self.expected.push(entry.right, edge(entry.parent, weight));
            }
        }
        self.waiting.seal();
        self.expected.seal();
    }

    /// Spreads the newest row of outside probabilities to left children.
    fn predict(&mut self) {
        let form = self.form;
        let row = &mut self.outside[self.length * form.symbols..];
        for symbol in &form.ascending {
            let value = row[*symbol];
            if value > 0.0 {
                for (left, probability) in form.left_children.of(*symbol) {
                    row[*left] += probability * value;
                }
            }
        }
    }

    /// Scaled probability that the string ends here.
    fn ending(&self) -> f64 {
        self.inside.get(self.inside.cell(0, 0))
    }

    /// Scaled probabilities of the next terminals.
    fn continuing(&self) -> &[f64] {
        &self.outside[(self.length + 1) * self.form.symbols - self.form.terminals..]
    }

    fn logarithm(&self, scaled: f64) -> f64 {
        scaled.ln() - self.exponent as f64 * std::f64::consts::LN_2
    }

    /// Writes the exact distribution of the next token, the terminals first and the end last. If no string starts with
    /// the tokens read, there is none, and it returns false.
    pub fn next_token(&self, distribution: &mut [f64]) -> bool {
        let mass = self.ending() + self.continuing().iter().sum::<f64>();
        let numbers = self.continuing().iter().copied().chain([self.ending()]);
        for (entry, number) in distribution.iter_mut().zip(numbers) {
            *entry = number / mass;
        }
        mass > 0.0
    }

    /// Natural logarithm of the probability that a string starts with the tokens read; minus infinity if none does.
    pub fn ln_prefix(&self) -> f64 {
        if self.length == 0 { 0.0 } else { self.logarithm(self.prefix.get(self.prefix.cell(0, 0))) }
    }

    /// Natural logarithm of the probability of the string read; minus infinity if it is not in the language.
    pub fn ln_string(&self) -> f64 {
        self.logarithm(self.ending())
    }

    /// Whether some string starts with the tokens read.
    pub fn is_prefix(&self) -> bool {
        self.ln_prefix() > f64::NEG_INFINITY
    }

    /// Whether the tokens read are a string of the language.
    pub fn is_string(&self) -> bool {
        self.ending() > 0.0
    }
}

/// Sparse sums.
#[derive(Debug, Clone)]
struct Sums {
    values: Vec<f64>,
    touched: Vec<bool>,
    order: Vec<usize>,
}

impl Sums {
    fn new(places: usize) -> Self {
        Self { values: vec![0.0; places], touched: vec![false; places], order: Vec::with_capacity(places) }
    }

    /// Adds to a place; returns whether it was in use.
    fn add(&mut self, place: usize, amount: f64) -> bool {
        let known = self.touched[place];
        if known {
            self.values[place] += amount;
        } else {
            self.touched[place] = true;
            self.values[place] = amount;
            self.order.push(place);
        }
        known
    }

    /// Removes and returns all sums, in the order of first use.
    fn drain(&mut self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let Self { values, touched, order } = self;
        order.drain(..).map(move |place| {
            touched[place] = false;
            (place, values[place])
        })
    }
}
