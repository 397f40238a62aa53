//! Chomsky normal form and the left-corner expectations for prefix parsing.
//!
//! An alternative of more than two symbols is split from the right, with a fresh symbol for every remainder; every
//! terminal gets a preterminal. Children of a symbol have a higher rank, so a pass from the highest rank down sees
//! parts before wholes.

use crate::grammar::{Grammar, Terminal};

/// A rule with two children.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binary {
    /// The symbol that it rewrites.
    pub parent: usize,
    /// First child.
    pub left: usize,
    /// Second child.
    pub right: usize,
    /// Its probability.
    pub probability: f64,
}

/// Lists indexed by number, in one allocation.
#[derive(Debug, Clone)]
pub struct Lists<T> {
    offsets: Vec<usize>,
    entries: Vec<T>,
}

impl<T> Lists<T> {
    fn new(lists: Vec<Vec<T>>) -> Self {
        let mut offsets = vec![0];
        let mut entries = Vec::new();
        for list in lists {
            entries.extend(list);
            offsets.push(entries.len());
        }
        Self { offsets, entries }
    }

    /// The list at index `number`.
    pub fn of(&self, number: usize) -> &[T] {
        &self.entries[self.offsets[number]..self.offsets[number + 1]]
    }
}

/// A parent that still lacks its second child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The parent.
    pub parent: usize,
    /// The child that it lacks.
    pub right: usize,
}

/// A grammar in Chomsky normal form. Its symbols are the grammar's non-terminals, the remainders, the preterminals.
#[derive(Debug, Clone)]
pub struct NormalForm {
    /// Number of symbols.
    pub symbols: usize,
    /// Number of the grammar's non-terminals, which come first.
    pub nonterminals: usize,
    /// Number of terminals.
    pub terminals: usize,
    /// The rules.
    pub rules: Vec<Binary>,
    /// Rank of every symbol.
    pub ranks: Vec<usize>,
    /// All symbols, by ascending rank.
    pub ascending: Vec<usize>,
    /// For every left child, what its rules wait for: indices into [`waiting`](Self::waiting), and probabilities.
    pub by_left: Lists<(usize, f64)>,
    /// What rules wait for after their left child, without duplicates.
    pub waiting: Vec<Waiting>,
    /// For every index into [`waiting`](Self::waiting): indices into [`expected`](Self::expected) that have it as a
    /// left corner, with the expected number of times.
    pub corners_of: Lists<(usize, f64)>,
    /// What symbols wait for after a left corner, without duplicates.
    pub expected: Vec<Waiting>,
    /// For every symbol, its left children with their probabilities.
    pub left_children: Lists<(usize, f64)>,
    /// `left_corner[x * symbols + y]`: expected number of y on the left edge of x, x itself included.
    pub left_corner: Vec<f64>,
}

impl NormalForm {
    /// The normal form of `grammar`.
    pub fn new(grammar: &Grammar) -> Self {
        let nonterminals = grammar.nonterminals();
        let alternatives = (0..nonterminals).flat_map(|symbol| grammar.alternatives(symbol));
        let lengths: Vec<usize> = alternatives.map(Vec::len).collect();
        let remainders: usize = lengths.iter().map(|length| length - 2).sum();
        let terminals = grammar.terminals().len();
        let symbols = nonterminals + remainders + terminals;
        // Ranks between two levels leave space for the longest chain of remainders.
        let stride = lengths.iter().max().map_or(1, |longest| longest - 1);
        let mut ranks = vec![stride * grammar.depth(); symbols];
        let mut rules = Vec::new();
        let mut fresh = nonterminals;
        for symbol in 0..nonterminals {
            ranks[symbol] = stride * grammar.level(symbol);
            let number = |child: usize| grammar.terminal(child).map_or(child, |_| child + remainders);
            for word in grammar.alternatives(symbol) {
                let mut probability = 1.0 / grammar.alternatives(symbol).len() as f64;
                let mut parent = symbol;
                for left in &word[..word.len() - 2] {
                    rules.push(Binary { parent, left: number(*left), right: fresh, probability });
                    ranks[fresh] = ranks[parent] + 1;
                    (parent, fresh, probability) = (fresh, fresh + 1, 1.0);
                }
                let [left, right] = [word.len() - 2, word.len() - 1].map(|place| number(word[place]));
                rules.push(Binary { parent, left, right, probability });
            }
        }
        Self::index(nonterminals, terminals, ranks, rules)
    }

    fn index(nonterminals: usize, terminals: usize, ranks: Vec<usize>, rules: Vec<Binary>) -> Self {
        let symbols = ranks.len();
        let mut ascending: Vec<usize> = (0..symbols).collect();
        ascending.sort_by_key(|symbol| ranks[*symbol]);
        let left_children = left_children(symbols, &rules);
        let left_corner = left_corner(symbols, &ascending, &left_children);
        let mut waiting: Vec<Waiting> =
            rules.iter().map(|rule| Waiting { parent: rule.parent, right: rule.right }).collect();
        waiting.sort_unstable();
        waiting.dedup();
        let has_corner = |symbol: usize, corner: usize| left_corner[symbol * symbols + corner] > 0.0;
        let above = |corner: usize| (0..symbols).filter(|symbol| has_corner(*symbol, corner)).collect();
        let above: Vec<Vec<usize>> = (0..symbols).map(above).collect();
        let lift = |from: &Waiting| {
            let right = from.right;
            above[from.parent].iter().map(move |parent| Waiting { parent: *parent, right })
        };
        let mut expected: Vec<Waiting> = waiting.iter().flat_map(lift).collect();
        expected.sort_unstable_by_key(|edge| (edge.right, edge.parent));
        expected.dedup();
        let place =
            |edges: &[Waiting], edge: Waiting| edges.iter().position(|found| *found == edge).unwrap_or_default();
        let by_left = (0..symbols).map(|left| {
            let of_left = rules.iter().filter(|rule| rule.left == left);
            let place = |rule: &Binary| place(&waiting, Waiting { parent: rule.parent, right: rule.right });
            of_left.map(|rule| (place(rule), rule.probability)).collect()
        });
        let by_left = Lists::new(by_left.collect());
        let corners_of = waiting.iter().map(|from| {
            let lifted = lift(from);
            lifted.map(|edge| (place(&expected, edge), left_corner[edge.parent * symbols + from.parent])).collect()
        });
        let corners_of = Lists::new(corners_of.collect());
        Self {
            symbols,
            nonterminals,
            terminals,
            ranks,
            ascending,
            by_left,
            corners_of,
            left_children,
            rules,
            waiting,
            expected,
            left_corner,
        }
    }

    /// The preterminal of `terminal`.
    pub fn preterminal(&self, terminal: Terminal) -> usize {
        self.symbols - self.terminals + usize::from(terminal)
    }

    /// The highest rank.
    pub fn highest_rank(&self) -> usize {
        self.ranks.iter().copied().max().unwrap_or_default()
    }
}

/// Left children of every symbol; rules of several alternatives may repeat the same one.
fn left_children(symbols: usize, rules: &[Binary]) -> Lists<(usize, f64)> {
    let mut lists = vec![Vec::<(usize, f64)>::new(); symbols];
    for rule in rules {
        let list = &mut lists[rule.parent];
        match list.iter_mut().find(|(left, _)| *left == rule.left) {
            Some((_, probability)) => *probability += rule.probability,
            None => list.push((rule.left, rule.probability)),
        }
    }
    Lists::new(lists)
}

/// The inverse of 1 - P for the matrix P of left children; without cycles one pass from the leaves up suffices.
fn left_corner(symbols: usize, ascending: &[usize], left_children: &Lists<(usize, f64)>) -> Vec<f64> {
    let mut expectation = vec![0.0; symbols * symbols];
    for symbol in ascending.iter().rev() {
        expectation[symbol * symbols + symbol] = 1.0;
        for (left, probability) in left_children.of(*symbol) {
            for corner in 0..symbols {
                expectation[symbol * symbols + corner] += probability * expectation[left * symbols + corner];
            }
        }
    }
    expectation
}
