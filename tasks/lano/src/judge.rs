//! Judgements on strings, and their text form: `valid LN_PROBABILITY` or `invalid POSITION`.

use haltbench_sdk::Result;

use crate::grammar::Terminal;
use crate::language::Language;
use crate::words;

/// A judgement on a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// It is in the language.
    Valid {
        /// Natural logarithm of its probability.
        ln_probability: f64,
    },
    /// It is not in the language.
    Invalid {
        /// The first token, 1-based, with which no string of the language continues; one past the end if the string is
        /// a proper prefix.
        position: usize,
    },
}

/// First word of the judgement on a string of the language.
pub const VALID: &str = "valid";
/// First word of the judgement on any other string.
pub const INVALID: &str = "invalid";

impl Judgement {
    /// The judgement as text.
    pub fn write(self) -> String {
        match self {
            // Adding 0 turns the -0 of a certain string into 0.
            Self::Valid { ln_probability } => format!("{VALID} {:.6}", ln_probability + 0.0),
            Self::Invalid { position } => format!("{INVALID} {position}"),
        }
    }
}

/// Judges a string with the prefix parser.
pub fn judge(language: &Language, string: &[Terminal]) -> Judgement {
    let mut parser = language.parser();
    for (index, terminal) in string.iter().enumerate() {
        parser.advance(*terminal);
        if !parser.is_prefix() {
            return Judgement::Invalid { position: index + 1 };
        }
    }
    if parser.is_string() {
        Judgement::Valid { ln_probability: parser.ln_string() }
    } else {
        Judgement::Invalid { position: string.len() + 1 }
    }
}

/// Judges a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first word that is not a terminal.
pub fn answer(language: &Language, question: &str) -> Result<Judgement> {
    words::read(&language.grammar, question).map(|string| judge(language, &string))
}
