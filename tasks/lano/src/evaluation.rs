//! Evaluation of a language model against the exact one: strings that it generates, and its next-token distributions.
//!
//! A model is a function that writes the distribution of the next token after a prefix: one probability for every
//! terminal, then that of the end.

use haltbench_sdk::random::Stream;
use haltbench_sdk::{Error, Result};

use crate::grammar::Terminal;
use crate::language::Language;

/// How far a sum of probabilities may be from 1.
const TOLERANCE: f64 = 1e-3;

/// Sums over positions at which the exact and a model's next-token distribution were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Divergence {
    /// Positions compared, ends of strings included.
    pub positions: usize,
    /// Kullback-Leibler divergence of the model from the exact distribution, in nats.
    pub divergence: f64,
    /// Entropy of the exact distribution, in nats.
    pub entropy: f64,
    /// -ln of what the model gave to the tokens that followed, in nats.
    pub cross_entropy: f64,
    /// Positions at which the model's most probable token was the one that followed.
    pub hits: usize,
    /// Positions at which the exact distribution's most probable token was: no model can expect more hits.
    pub attainable_hits: usize,
}

/// A model's strings at temperature 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Generation {
    /// Strings generated.
    pub strings: usize,
    /// Strings of the language.
    pub valid: usize,
    /// Strings that were cut off at the limit; they are not valid.
    pub unfinished: usize,
    /// Their tokens, without ends.
    pub tokens: usize,
    /// Comparison at every prefix that some string of the language has.
    pub comparison: Divergence,
}

impl Divergence {
    /// Mean divergence for each position in nats, `None` without positions.
    pub fn mean_divergence(&self) -> Option<f64> {
        (self.positions > 0).then(|| self.divergence / self.positions as f64)
    }

    /// Compares at one position; `found` is the token that follows.
    fn add(&mut self, exact: &[f64], model: &[f64], found: usize) {
        self.positions += 1;
        for (exact, model) in exact.iter().zip(model).filter(|(exact, _)| **exact > 0.0) {
            // A model that excludes what is possible is infinitely far away.
            self.divergence += exact * (exact.ln() - model.ln());
            self.entropy -= exact * exact.ln();
        }
        self.cross_entropy -= model[found].ln();
        self.hits += usize::from(first_largest(model) == found);
        self.attainable_hits += usize::from(first_largest(exact) == found);
    }
}

impl Generation {
    /// Share of strings of the language, `None` without strings.
    pub fn valid_share(&self) -> Option<f64> {
        (self.strings > 0).then(|| self.valid as f64 / self.strings as f64)
    }
}

/// Compares a model with the exact distribution along strings of the language.
///
/// # Errors
/// [`Error::Contract`] if the model does not give a distribution, [`Error::Invalid`] for a string outside the language.
pub fn teacher_forced<'a>(
    language: &Language,
    strings: impl IntoIterator<Item = &'a [Terminal]>,
    mut model: impl FnMut(&[Terminal], &mut [f64]),
) -> Result<Divergence> {
    let mut sums = Divergence::default();
    let mut judge = Judge::new(language);
    for string in strings {
        judge.parser.restart();
        for length in 0..=string.len() {
            let found = string.get(length).map_or(language.end(), |terminal| usize::from(*terminal));
            judge.ask(&string[..length], &mut model)?;
            if !judge.parser.next_token(&mut judge.exact) || judge.exact[found] <= 0.0 {
                let place = format!("no string continues like this at token {}", length + 1);
                return Err(Error::invalid("string to compare on", "a string of the language", place));
            }
            sums.add(&judge.exact, &judge.model, found);
            if let Some(terminal) = string.get(length) {
                judge.parser.advance(*terminal);
            }
        }
    }
    Ok(sums)
}

/// Lets a model generate `count` strings of at most `limit` tokens at temperature 1 and judges them.
///
/// # Errors
/// [`Error::Contract`] if the model does not give a distribution.
pub fn generated(
    language: &Language,
    count: usize,
    limit: usize,
    stream: &mut Stream,
    mut model: impl FnMut(&[Terminal], &mut [f64]),
) -> Result<Generation> {
    let mut found = Generation::default();
    let mut judge = Judge::new(language);
    let mut string = Vec::with_capacity(limit);
    for _ in 0..count {
        found.strings += 1;
        judge.parser.restart();
        string.clear();
        loop {
            judge.ask(&string, &mut model)?;
            let next = draw(&judge.model, stream);
            if judge.parser.next_token(&mut judge.exact) {
                found.comparison.add(&judge.exact, &judge.model, next);
            }
            if next == language.end() {
                found.valid += usize::from(judge.parser.is_string());
                break;
            }
            if string.len() == limit {
                found.unfinished += 1;
                break;
            }
            string.push(next as Terminal);
            judge.parser.advance(next as Terminal);
        }
        found.tokens += string.len();
    }
    Ok(found)
}

/// The exact parser beside a model.
struct Judge<'a> {
    parser: crate::parser::Parser<'a>,
    exact: Vec<f64>,
    model: Vec<f64>,
}

impl<'a> Judge<'a> {
    fn new(language: &'a Language) -> Self {
        let outcomes = language.outcomes();
        Self { parser: language.parser(), exact: vec![0.0; outcomes], model: vec![0.0; outcomes] }
    }

    /// The model's distribution, which must be one.
    fn ask(&mut self, prefix: &[Terminal], model: &mut impl FnMut(&[Terminal], &mut [f64])) -> Result<()> {
        model(prefix, &mut self.model);
        let sum: f64 = self.model.iter().sum();
        let fair = self.model.iter().all(|probability| *probability >= 0.0) && (sum - 1.0).abs() < TOLERANCE;
        if !fair {
            let message = format!("next-token probabilities {:?} are no distribution", self.model);
            return Err(Error::contract("the model", message));
        }
        Ok(())
    }
}

/// Draws an outcome.
fn draw(distribution: &[f64], stream: &mut Stream) -> usize {
    let mut left = stream.uniform() * distribution.iter().sum::<f64>();
    let mut chosen = 0;
    for (outcome, probability) in distribution.iter().enumerate().filter(|(_, probability)| **probability > 0.0) {
        chosen = outcome;
        left -= probability;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

fn first_largest(distribution: &[f64]) -> usize {
    let largest = distribution.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    distribution.iter().position(|probability| *probability == largest).unwrap_or_default()
}
