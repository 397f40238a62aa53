//! Errors of the contract: each names the operand, what was expected and, where there is one, the nearest valid choice.

use crate::names;
use crate::visible::on_one_line;

/// What can go wrong in a plugin or in a call to one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A name is not known.
    #[error("unknown {kind} `{name}`{}", suggestion(.nearest))]
    Unknown {
        /// Kind of the name: `task`, `parameter of anira-e`, ...
        kind: String,
        /// The name as given.
        name: String,
        /// The nearest valid name, if one is similar.
        nearest: Option<String>,
    },
    /// A value is of the wrong type or outside its range.
    #[error("{operand}: expected {expected}, found {found}")]
    Invalid {
        /// The operand that has the value.
        operand: String,
        /// The values that are allowed.
        expected: String,
        /// The value as given.
        found: String,
    },
    /// A question or an answer does not parse.
    #[error("token {position} of the {text}: {message}")]
    Malformed {
        /// `question` or `answer`.
        text: &'static str,
        /// 1-based position of the offending token; one past the end when something is missing.
        position: usize,
        /// What was expected at this token and what was found.
        message: String,
    },
    /// A plugin broke its contract.
    #[error("{plugin} broke the contract: {message}")]
    Contract {
        /// Name of the implementation.
        plugin: String,
        /// Which promise was broken, and how.
        message: String,
    },
}

/// Result of the contract's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An unknown name, with the nearest of `known` offered.
    pub fn unknown<'a>(kind: impl Into<String>, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Unknown {
            kind: kind.into(),
            name: on_one_line(name).into_owned(),
            nearest: names::nearest(name, known).map(str::to_owned),
        }
    }

    /// A value outside what is allowed.
    pub fn invalid(operand: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> Self {
        let (operand, found) = (operand.into(), found.to_string());
        let (operand, found) = (on_one_line(&operand).into_owned(), on_one_line(&found).into_owned());
        Self::Invalid { operand, expected: expected.into(), found }
    }

    /// A question that does not parse at the 1-based token `position`.
    pub fn malformed(position: usize, message: impl Into<String>) -> Self {
        Self::Malformed { text: "question", position, message: message.into() }
    }

    /// A broken promise of the plugin called `plugin`.
    pub fn contract(plugin: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Contract { plugin: plugin.into(), message: message.into() }
    }
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The start of a word, short enough for a message and without hidden characters.
pub fn shorten(word: &str) -> String {
    let mut characters = word.chars();
    let head: String = characters.by_ref().take(24).collect();
    let head = on_one_line(&head);
    if characters.next().is_some() { format!("{head}…") } else { head.into_owned() }
}
