//! Tests of the task, separate from the tested code.

mod conformance;
mod evaluation;
mod goldens;
mod grammars;
mod laws;
mod malformed;
mod naive;
mod parser;
mod properties;
mod speed;
mod start;
mod statistics;
mod toy;

use std::collections::BTreeMap;

use haltbench_sdk::Result;
use haltbench_sdk::conformance::specimen::{self, break_of};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Task};

use crate::derivation::Derivation;
use crate::grammar::{Grammar, Terminal};
use crate::language::Language;
use crate::lano::DECLARATION;
use crate::random_grammar::{Shape, draw};

/// The task with these parameters set.
fn configured(given: &[(&str, Value)]) -> Result<Box<dyn Task>> {
    specimen::configured(&DECLARATION, given)
}

fn lano(grammar: &str) -> Box<dyn Task> {
    configured(&[("grammar", Value::Text(grammar.into()))]).unwrap()
}

fn language(name: &str) -> Language {
    Language::published(name).unwrap()
}

fn instance(task: &dyn Task, seed: u64) -> Instance {
    task.sample(0, &mut Stream::new(seed, "test", &[])).unwrap()
}

fn derivation(language: &Language, seed: u64) -> Derivation {
    Derivation::draw(&language.grammar, &mut Stream::new(seed, "test", &[]))
}

/// Reads `1211`: one terminal per character, 1-based.
fn string(text: &str) -> Vec<Terminal> {
    text.bytes().map(|byte| byte - b'1').collect()
}

/// A random grammar with many derivations per string: two terminals, short alternatives.
fn ambiguous(depth: usize, seed: u64) -> Language {
    let shape = Shape {
        depth,
        symbols: 2,
        terminals: 2,
        alternatives: 2..=3,
        children: 2..=3,
        distinct_children: false,
        distinct_alternatives: false,
    };
    Language::new(draw(&shape, &mut Stream::new(seed, "test/grammar", &[])).unwrap())
}

/// Enumerates all strings of a small language, with their probabilities and numbers of derivations.
fn enumerate(grammar: &Grammar) -> BTreeMap<Vec<Terminal>, (f64, u128)> {
    yields(grammar, 0)
}

fn yields(grammar: &Grammar, symbol: usize) -> BTreeMap<Vec<Terminal>, (f64, u128)> {
    if let Some(terminal) = grammar.terminal(symbol) {
        return BTreeMap::from([(vec![terminal], (1.0, 1))]);
    }
    let mut all = BTreeMap::<_, (f64, u128)>::new();
    let alternatives = grammar.alternatives(symbol);
    for word in alternatives {
        let mut partial = vec![(Vec::new(), 1.0 / alternatives.len() as f64, 1)];
        for child in word {
            let of_child = yields(grammar, *child);
            let extend = |(head, p, n): (Vec<Terminal>, f64, u128)| {
                let tails = of_child.iter();
                let joined = tails.map(move |(tail, (q, m))| ([head.clone(), tail.clone()].concat(), p * q, n * m));
                joined.collect::<Vec<_>>()
            };
            partial = partial.into_iter().flat_map(extend).collect();
        }
        for (string, probability, count) in partial {
            let entry = all.entry(string).or_default();
            *entry = (entry.0 + probability, entry.1 + count);
        }
    }
    all
}

/// A random string of terminals.
fn noise(language: &Language, length: usize, seed: u64) -> Vec<Terminal> {
    let mut stream = Stream::new(seed, "test/noise", &[length as u64]);
    (0..length).map(|_| stream.below(language.end() as u64) as Terminal).collect()
}
