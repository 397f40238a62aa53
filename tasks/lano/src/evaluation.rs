//! A language model against the exact one: on strings that it generated, and along strings of the language.

use haltbench_sdk::task::generation::{PredictedString, StringMeasure};
use haltbench_sdk::{Error, Result};

use crate::grammar::Terminal;
use crate::language::Language;
use crate::parser::Parser;

/// Largest deviation of a sum of probabilities from 1.
const TOLERANCE: f64 = 1e-3;

/// Sums over the positions of a string where the exact next-token distribution and a model's were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Divergence {
    /// Number of compared positions, the end included.
    pub positions: usize,
    /// Kullback-Leibler divergence of the model from the exact distribution, in nats.
    pub divergence: f64,
    /// Entropy of the exact distribution, in nats.
    pub entropy: f64,
    /// -ln of the model's probability of the tokens that followed, in nats.
    pub cross_entropy: f64,
    /// Positions where the model's most probable token followed.
    pub hits: usize,
    /// Positions where the exact distribution's most probable token followed: no model can expect more hits.
    pub attainable_hits: usize,
}

/// A judged string.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Judged {
    /// Whether it is in the language.
    pub is_valid: bool,
    /// Whether it ended before the length limit.
    pub is_finished: bool,
    /// Number of tokens, without the end.
    pub tokens: usize,
    /// Comparison at every prefix that is valid in the language.
    pub comparison: Divergence,
}

impl Divergence {
    /// Compares the distributions at one position; `found` is the token that follows.
    fn add(&mut self, exact: &[f64], model: &[f64], found: usize) {
        self.positions += 1;
        for (exact, model) in exact.iter().zip(model).filter(|(exact, _)| **exact > 0.0) {
            // A model that excludes a possible token is infinitely far away.
            self.divergence += exact * (exact.ln() - model.ln());
            self.entropy -= exact * exact.ln();
        }
        self.cross_entropy -= model[found].ln();
        self.hits += usize::from(first_largest(model) == found);
        self.attainable_hits += usize::from(first_largest(exact) == found);
    }
}

/// Runs the exact parser alongside a model.
pub struct Judge<'a> {
    language: &'a Language,
    parser: Parser<'a>,
    /// The vocabulary's token of every outcome: the terminals, then the end.
    tokens: &'a [usize],
    exact: Vec<f64>,
    model: Vec<f64>,
}

impl<'a> Judge<'a> {
    /// A judge of models; `tokens` are their vocabulary's tokens for the outcomes of `language`.
    pub fn new(language: &'a Language, tokens: &'a [usize]) -> Self {
        let outcomes = language.outcomes();
        Self { language, parser: language.parser(), tokens, exact: vec![0.0; outcomes], model: vec![0.0; outcomes] }
    }

    /// Follows a string to its end, or to the first token that is neither a terminal nor the end.
    ///
    /// # Errors
    /// [`Error::Contract`] if the model does not return a distribution.
    pub fn follow(&mut self, string: &PredictedString) -> Result<Judged> {
        let mut judged = Judged::default();
        self.parser.restart();
        for (token, distribution) in string.tokens.iter().zip(&string.distributions) {
            self.read(distribution)?;
            let outcome = self.tokens.iter().position(|known| *known == *token as usize);
            let Some(outcome) = outcome else { break };
            if self.parser.next_token(&mut self.exact) {
                judged.comparison.add(&self.exact, &self.model, outcome);
            }
            if outcome == self.language.end() {
                (judged.is_valid, judged.is_finished) = (self.parser.is_string(), true);
                break;
            }
            self.parser.advance(outcome as Terminal);
            judged.tokens += 1;
        }
        Ok(judged)
    }

    /// Reads and validates the model's distribution. Probability on other tokens is lost to the model.
    fn read(&mut self, distribution: &[f64]) -> Result<()> {
        let sum: f64 = distribution.iter().sum();
        let fair = distribution.iter().all(|probability| *probability >= 0.0) && (sum - 1.0).abs() < TOLERANCE;
        if !fair {
            let message = format!("next-token probabilities {distribution:?} are no distribution");
            return Err(Error::contract("the model", message));
        }
        for (entry, token) in self.model.iter_mut().zip(self.tokens) {
            *entry = distribution.get(*token).copied().unwrap_or(0.0);
        }
        Ok(())
    }
}

/// Measures of strings that a model generated at temperature 1.
pub fn of_generated(strings: &[Judged]) -> Vec<StringMeasure> {
    let measure = |name, is_share, of: fn(&Judged) -> (f64, f64)| {
        let sums = strings.iter().map(of).collect();
        StringMeasure { name, is_share, sums }
    };
    vec![
        measure("valid", true, |string| (f64::from(u8::from(string.is_valid)), 1.0)),
        measure("unfinished", true, |string| (f64::from(u8::from(!string.is_finished)), 1.0)),
        measure("length", false, |string| (string.tokens as f64, 1.0)),
        measure("divergence", false, |string| (string.comparison.divergence, string.comparison.positions as f64)),
    ]
}

/// Measures of a model's expectations along strings of the language.
pub fn of_teacher_forced(strings: &[Judged]) -> Vec<StringMeasure> {
    let measure = |name, is_share, of: fn(&Divergence) -> f64| {
        let sums = strings.iter().map(|string| (of(&string.comparison), string.comparison.positions as f64));
        StringMeasure { name, is_share, sums: sums.collect() }
    };
    vec![
        measure("divergence", false, |sums| sums.divergence),
        measure("cross_entropy", false, |sums| sums.cross_entropy),
        measure("entropy", false, |sums| sums.entropy),
        measure("accuracy", true, |sums| sums.hits as f64),
        measure("attainable_accuracy", true, |sums| sums.attainable_hits as f64),
    ]
}

fn first_largest(distribution: &[f64]) -> usize {
    let largest = distribution.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    distribution.iter().position(|probability| *probability == largest).unwrap_or_default()
}
