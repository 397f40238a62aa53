//! A grammar with the queries on its language.

use haltbench_sdk::Result;

use crate::grammar::{Grammar, Terminal};
use crate::normal_form::NormalForm;
use crate::parser::{Parser, Work};
use crate::spans;

/// A grammar, ready for queries.
#[derive(Debug, Clone)]
pub struct Language {
    /// The grammar.
    pub grammar: Grammar,
    form: NormalForm,
}

impl Language {
    /// Prepares the language of `grammar`.
    pub fn new(grammar: Grammar) -> Self {
        Self { form: NormalForm::new(&grammar), grammar }
    }

    /// The language of a grammar that ships with the crate: `cfg3b`, `cfg3f`, `cfg3j`, `cfg3k` or `toy`.
    ///
    /// # Errors
    /// [`Error::Unknown`](haltbench_sdk::Error::Unknown) with the nearest name.
    pub fn published(name: &str) -> Result<Self> {
        crate::published::grammar(name).map(Self::new)
    }

    /// A parser before the first token.
    pub fn parser(&self) -> Parser<'_> {
        Parser::new(&self.form)
    }

    /// Length of a next-token distribution: the terminals, then the end.
    pub fn outcomes(&self) -> usize {
        self.grammar.terminals().len() + 1
    }

    /// The outcome that ends a string.
    pub fn end(&self) -> usize {
        self.grammar.terminals().len()
    }

    /// The parser after `string`.
    pub fn read(&self, string: &[Terminal]) -> Parser<'_> {
        let mut parser = self.parser();
        for terminal in string {
            parser.advance(*terminal);
        }
        parser
    }

    /// Whether the string is in the language.
    pub fn contains(&self, string: &[Terminal]) -> bool {
        self.read(string).is_string()
    }

    /// Natural logarithm of the string's probability; minus infinity outside the language.
    pub fn ln_probability(&self, string: &[Terminal]) -> f64 {
        self.read(string).ln_string()
    }

    /// The exact distribution of the token after `prefix`, with the end last; `None` if no string starts with it.
    pub fn next_token(&self, prefix: &[Terminal]) -> Option<Vec<f64>> {
        let mut distribution = vec![0.0; self.outcomes()];
        self.read(prefix).next_token(&mut distribution).then_some(distribution)
    }

    /// Number of derivation trees of the string, at most `u128::MAX`.
    pub fn derivations(&self, string: &[Terminal]) -> u128 {
        spans::derivations(&self.grammar, string)
    }

    /// The parser's cost of every token, for any string.
    pub fn work(&self, string: &[Terminal]) -> Vec<Work> {
        let mut parser = self.parser();
        string.iter().map(|terminal| parser.advance(*terminal)).collect()
    }
}
