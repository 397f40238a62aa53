//! Questions as text: the elements of a list, after filler and a bar if there is any.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::elements::Elements;

/// The word between filler and list.
pub const BAR: &str = "|";

/// The list of a question, by ids of its elements; at least one.
///
/// # Errors
/// [`Error::Malformed`] at the first invalid word; positions are 1-based.
pub fn read(question: &str, elements: Elements) -> Result<Vec<u32>> {
    let mut list = Vec::new();
    let mut has_bar = false;
    let mut end = 1;
    for (position, word) in (1..).zip(question.split_whitespace()) {
        end = position + 1;
        if word == BAR && !has_bar {
            has_bar = true;
            list.clear();
            continue;
        }
        let Some(element) = elements.read(word) else {
            let bar = if has_bar { "" } else { " or `|`" };
            let message = format!("expected {}{bar}, found `{}`", elements.expected(), shorten(word));
            return Err(Error::malformed(position, message));
        };
        list.push(element);
    }
    if list.is_empty() {
        return Err(Error::malformed(end, format!("expected {}, found the end", elements.expected())));
    }
    Ok(list)
}

/// The words of elements, separated by spaces.
pub fn write(list: &[u32]) -> String {
    let words: Vec<String> = list.iter().map(|element| (element + 1).to_string()).collect();
    words.join(" ")
}
