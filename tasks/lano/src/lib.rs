//! LANO: strings of levelled probabilistic grammars, with exact probabilities.
//!
//! Two paths judge a string, and they share only the grammar: the solver's prefix parser in normal form with scaled
//! probabilities, and the checker's Earley recogniser with spans in log space. [`evaluation`] judges a language model
//! against the exact distribution.

mod chart;
mod check;
mod columns;
pub mod derivation;
mod earley;
pub mod evaluation;
pub mod grammar;
pub mod guesses;
pub mod judge;
pub mod language;
mod lano;
mod normal_form;
pub mod notation;
pub mod parser;
mod published;
pub mod random_grammar;
mod settings;
mod spans;
mod start;
#[cfg(test)]
mod tests;
mod words;

use haltbench_sdk_dylib as _;

haltbench_sdk::register_task!(lano::DECLARATION);
