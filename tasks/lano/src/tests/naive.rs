//! Prefix parsing straight from the formulas: dense loops over all items, which count every operation on two non-zero
//! numbers.

use std::collections::BTreeMap;

use super::{ambiguous, derivation, language, noise};
use crate::grammar::Terminal;
use crate::language::Language;
use crate::normal_form::NormalForm;
use crate::parser::Work;

/// A sum that counts its additions.
#[derive(Clone, Copy, Default)]
struct Counter {
    additions: u64,
    multiplications: u64,
}

impl Counter {
    fn multiply(&mut self, left: f64, right: f64) -> f64 {
        self.multiplications += u64::from(left != 0.0 && right != 0.0);
        left * right
    }

    fn add(&mut self, sum: &mut f64, amount: f64) {
        self.additions += u64::from(*sum != 0.0 && amount != 0.0);
        *sum += amount;
    }
}

/// E = sum of the powers of the matrix of left children.
fn left_corner(form: &NormalForm) -> Vec<Vec<f64>> {
    let symbols = form.symbols;
    let mut power: Vec<Vec<f64>> =
        (0..symbols).map(|row| (0..symbols).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    let mut sum = power.clone();
    for _ in 0..symbols {
        let mut next = vec![vec![0.0; symbols]; symbols];
        for rule in &form.rules {
            for column in 0..symbols {
                next[rule.parent][column] += rule.probability * power[rule.left][column];
            }
        }
        for (row, added) in sum.iter_mut().zip(&next) {
            row.iter_mut().zip(added).for_each(|(entry, amount)| *entry += amount);
        }
        power = next;
    }
    sum
}

/// Charts with one row per start and one column per end.
struct Naive<'a> {
    form: &'a NormalForm,
    corner: Vec<Vec<f64>>,
    inside: BTreeMap<(usize, usize), Vec<f64>>,
    prefix: BTreeMap<(usize, usize), Vec<f64>>,
    waiting: BTreeMap<(usize, usize), Vec<Vec<f64>>>,
    expected: BTreeMap<(usize, usize), Vec<Vec<f64>>>,
}

impl<'a> Naive<'a> {
    fn new(form: &'a NormalForm) -> Self {
        let charts = (BTreeMap::new(), BTreeMap::new());
        let edges = (BTreeMap::new(), BTreeMap::new());
        let corner = left_corner(form);
        Self { form, corner, inside: charts.0, prefix: charts.1, waiting: edges.0, expected: edges.1 }
    }

    fn advance(&mut self, end: usize, terminal: Terminal) -> Work {
        let symbols = self.form.symbols;
        let preterminal = self.form.preterminal(terminal);
        let mut counter = Counter::default();
        for start in (0..end).rev() {
            let (mut inside, mut prefix) = (vec![0.0; symbols], vec![0.0; symbols]);
            if start + 1 == end {
                inside[preterminal] = 1.0;
                for (entry, corners) in prefix.iter_mut().zip(&self.corner) {
                    *entry = counter.multiply(corners[preterminal], 1.0);
                }
            }
            for middle in start + 1..end {
                for parent in 0..symbols {
                    for right in 0..symbols {
                        let tail = self.inside[&(middle, end)][right];
                        let product = counter.multiply(self.waiting[&(start, middle)][parent][right], tail);
                        counter.add(&mut inside[parent], product);
                        let tail = self.prefix[&(middle, end)][right];
                        let product = counter.multiply(self.expected[&(start, middle)][parent][right], tail);
                        counter.add(&mut prefix[parent], product);
                    }
                }
            }
            self.inside.insert((start, end), inside);
            self.prefix.insert((start, end), prefix);
        }
        for start in 0..end {
            let mut waiting = vec![vec![0.0; symbols]; symbols];
            for rule in &self.form.rules {
                let product = counter.multiply(rule.probability, self.inside[&(start, end)][rule.left]);
                counter.add(&mut waiting[rule.parent][rule.right], product);
            }
            let mut expected = vec![vec![0.0; symbols]; symbols];
            for (row, corners) in expected.iter_mut().zip(&self.corner) {
                for (corner, waits) in corners.iter().zip(&waiting) {
                    for (sum, wait) in row.iter_mut().zip(waits) {
                        let product = counter.multiply(*corner, *wait);
                        counter.add(sum, product);
                    }
                }
            }
            self.waiting.insert((start, end), waiting);
            self.expected.insert((start, end), expected);
        }
        let count = |chart: &BTreeMap<(usize, usize), Vec<f64>>, bound: usize| {
            let items = (0..end).flat_map(|start| &chart[&(start, end)][..bound]);
            items.filter(|value| **value != 0.0).count()
        };
        Work {
            expansion: count(&self.inside, symbols) + count(&self.prefix, symbols),
            live: count(&self.prefix, self.form.nonterminals),
            additions: counter.additions,
            multiplications: counter.multiplications,
        }
    }
}

fn close(left: f64, right: f64) -> bool {
    left == right || (left - right).abs() < 1e-9 * (1.0 + left.abs())
}

fn agrees(language: &Language, string: &[Terminal]) {
    let form = NormalForm::new(&language.grammar);
    let (mut naive, mut parser) = (Naive::new(&form), language.parser());
    for (index, terminal) in string.iter().enumerate() {
        let expected = naive.advance(index + 1, *terminal);
        assert_eq!(parser.advance(*terminal), expected, "token {index} of {string:?}");
        assert!(close(parser.ln_prefix(), naive.prefix[&(0, index + 1)][0].ln()), "{string:?}");
        assert!(close(parser.ln_string(), naive.inside[&(0, index + 1)][0].ln()), "{string:?}");
    }
}

#[test]
fn operations_and_items_are_those_of_the_dense_loops() {
    let toy = language("toy");
    for seed in 0..20 {
        agrees(&toy, &derivation(&toy, seed).string);
        agrees(&toy, &noise(&toy, 10, seed));
    }
    for seed in 0..6 {
        let language = ambiguous(3, seed);
        agrees(&language, &derivation(&language, seed).string);
        agrees(&language, &noise(&language, 14, seed));
    }
    let cfg3b = language("cfg3b");
    agrees(&cfg3b, &derivation(&cfg3b, 0).string[..40]);
    agrees(&cfg3b, &noise(&cfg3b, 25, 0));
}
