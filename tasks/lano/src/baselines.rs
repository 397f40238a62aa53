//! What models that know nothing, little or everything score: to be read beside a model's token accuracy.

use crate::grammar::Terminal;
use crate::language::Language;

/// Expected share of tokens predicted right, ends included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Baselines {
    /// Always the most frequent token.
    pub constant: f64,
    /// Any of the tokens that are possible here, equally likely.
    pub possible: f64,
    /// The most probable token here: no model can expect more.
    pub optimal: f64,
}

/// The baselines along strings of the language, in expectation over the next token rather than by the one that
/// follows. `None` without strings or with one outside the language.
pub fn baselines<'a>(language: &Language, strings: impl IntoIterator<Item = &'a [Terminal]>) -> Option<Baselines> {
    let mut parser = language.parser();
    let mut distribution = vec![0.0; language.outcomes()];
    let mut frequencies = vec![0.0; language.outcomes()];
    let mut sums = Baselines::default();
    for string in strings {
        parser.restart();
        for length in 0..=string.len() {
            if !parser.next_token(&mut distribution) {
                return None;
            }
            let possible = distribution.iter().filter(|probability| **probability > 0.0).count();
            sums.possible += 1.0 / possible as f64;
            sums.optimal += distribution.iter().copied().fold(0.0, f64::max);
            for (frequency, probability) in frequencies.iter_mut().zip(&distribution) {
                *frequency += probability;
            }
            if let Some(terminal) = string.get(length) {
                parser.advance(*terminal);
            }
        }
        if !parser.is_string() {
            return None;
        }
    }
    let positions: f64 = frequencies.iter().sum();
    let constant = frequencies.iter().copied().fold(0.0, f64::max);
    let Baselines { possible, optimal, .. } = sums;
    (positions > 0.0).then(|| Baselines {
        constant: constant / positions,
        possible: possible / positions,
        optimal: optimal / positions,
    })
}
