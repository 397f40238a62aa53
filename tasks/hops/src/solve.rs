//! The solver: doubles the function of one hop, and composes the hops from their binary digits.

use haltbench_sdk::Result;

use crate::chain;
use crate::question::{self, NONE, word};
use crate::settings::Settings;

/// The answers to a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first invalid word of the question.
pub fn answer(question: &str, settings: &Settings) -> Result<String> {
    let question = question::read(question, settings)?;
    let length = question.letters.len();
    // The place behind the string stands for none, and leads to itself.
    let hops = chain::hops(&question.letters, settings.alphabet);
    let mut leap: Vec<usize> = hops.into_iter().map(|next| next.unwrap_or(length)).chain([length]).collect();
    let mut at: Vec<usize> = (0..length).collect();
    for digit in 0..usize::BITS - question.asked.leading_zeros() {
        if question.asked >> digit & 1 == 1 {
            at.iter_mut().for_each(|place| *place = leap[*place]);
        }
        leap = leap.iter().map(|next| leap[*next]).collect();
    }
    let first = if settings.is_every_answered { 0 } else { length - 1 };
    let write =
        |place: &usize| question.letters.get(*place).map_or(NONE.to_owned(), |letter| word(*letter).to_string());
    Ok(at[first..].iter().map(write).collect::<Vec<_>>().join(" "))
}
