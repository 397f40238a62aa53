//! Guesses that know the grammar, as references for a model's token accuracy.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::grammar::Terminal;
use crate::language::Language;

/// A random possible token, all equally likely.
pub fn random_possible<'a>(language: &'a Language, tokens: &'a [usize]) -> impl Guess + 'a {
    RandomValid {
        name: "random-possible",
        documentation: "Any token with which some string of the language goes on, all equally likely.",
        choices: |instance: &Instance| choices(language, tokens, instance, |_| 0.0),
    }
}

/// The most probable token here.
pub fn most_probable<'a>(language: &'a Language, tokens: &'a [usize]) -> impl Guess + 'a {
    RandomValid {
        name: "most-probable",
        documentation: "The token that the grammar makes most probable here: no model can expect more.",
        choices: |instance: &Instance| {
            let largest = |distribution: &[f64]| distribution.iter().copied().fold(0.0, f64::max);
            let mut choices = choices(language, tokens, instance, largest);
            // Ties go to the first token.
            choices.iter_mut().for_each(|tokens| tokens.truncate(1));
            choices
        },
    }
}

/// Possible tokens before every target of an instance whose probability is at least `least` of the exact distribution.
fn choices(language: &Language, tokens: &[usize], instance: &Instance, least: impl Fn(&[f64]) -> f64) -> Vec<Vec<u32>> {
    let mut parser = language.parser();
    let mut distribution = vec![0.0; language.outcomes()];
    let mut choices = Vec::with_capacity(instance.tokens.len());
    for target in instance.answers() {
        parser.next_token(&mut distribution);
        let least = least(&distribution);
        let admitted = tokens.iter().zip(&distribution).filter(|(_, p)| **p > 0.0 && **p >= least);
        choices.push(admitted.map(|(token, _)| *token as u32).collect());
        let outcome = tokens.iter().position(|token| *token == target as usize);
        if let Some(terminal) = outcome.filter(|outcome| *outcome != language.end()) {
            parser.advance(terminal as Terminal);
        }
    }
    choices
}
