//! The solver: keeps the open brackets on a stack.

use haltbench_sdk::Result;

use crate::question::{self, Symbol, closing};
use crate::settings::Settings;

/// The answers to a question: depths after brackets, or kinds of closing brackets.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first invalid word of the question.
pub fn answer(question: &str, settings: &Settings) -> Result<String> {
    let mut open = Vec::new();
    let mut answers = Vec::new();
    for symbol in question::read(question, settings)? {
        let closed = match symbol {
            Symbol::Opening(kind) => {
                open.push(kind);
                None
            }
            Symbol::Closing => open.pop(),
        };
        match settings.kinds {
            1 => answers.push(open.len().to_string()),
            _ => answers.extend(closed.map(closing)),
        }
    }
    Ok(answers.join(" "))
}
