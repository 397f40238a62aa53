//! Evaluation by generation: strings that a model draws token by token, judged by a task that is a language.

use super::Columns;
use crate::error::Result;

/// A string, and what a model expected before each of its tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PredictedString {
    /// The tokens after the prompt. The last one is the end, unless the string was cut off.
    pub tokens: Vec<u32>,
    /// The model's distribution over the vocabulary for each of them.
    pub distributions: Vec<Vec<f64>>,
}

/// A measure over strings: the ratio of two sums, one term for each string, so that it has an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct StringMeasure {
    /// Name of the measure in results.
    pub name: &'static str,
    /// Whether it is a share, from 0 to 1 for every string.
    pub is_share: bool,
    /// Terms of each string: (numerator, denominator).
    pub sums: Vec<(f64, f64)>,
}

/// Complexities and features of a sequence that the task did not draw.
pub struct StringColumns {
    /// The complexities, in the task's order.
    pub complexities: Columns,
    /// The features, in the task's order.
    pub features: Columns,
}

/// Judges strings that a model generates, for a task that is a language.
pub trait Generation {
    /// The prompt before every string.
    fn prompt(&self) -> Vec<u32>;

    /// The token that ends a string.
    fn end(&self) -> u32;

    /// Number of tokens of the longest string, without its end; longer strings are cut off.
    fn longest(&self) -> usize;

    /// The columns of a sequence: the prompt and a string after it, of the language or not; undefined where they are those
    /// of a derivation.
    fn columns(&self, tokens: &[u32]) -> StringColumns;

    /// Measures of strings that a model drew at temperature 1. Without strings it gives the names alone.
    ///
    /// # Errors
    /// If a distribution is none.
    fn generated(&self, strings: &[PredictedString]) -> Result<Vec<StringMeasure>>;

    /// Measures of a model's expectations along strings of the language. Without strings it gives the names alone.
    ///
    /// # Errors
    /// If a distribution is none, or a string is not of the language.
    fn teacher_forced(&self, strings: &[PredictedString]) -> Result<Vec<StringMeasure>>;
}
