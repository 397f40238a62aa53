//! Questions and answers as text: elements separated by spaces.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::group::Group;

/// Numbers of the elements of a question.
///
/// # Errors
/// [`Error::Malformed`] at the first word that is no element.
pub fn read(question: &str, group: &Group) -> Result<Vec<usize>> {
    let mut elements = Vec::new();
    for (position, word) in (1..).zip(question.split_whitespace()) {
        let Some(element) = group.read(word) else {
            let message = format!("expected {}, found `{}`", group.kind.expected(), shorten(word));
            return Err(Error::malformed(position, message));
        };
        elements.push(element);
    }
    if elements.is_empty() {
        return Err(Error::malformed(1, format!("expected {}, found the end", group.kind.expected())));
    }
    Ok(elements)
}
