//! The solver: composes permutations in a parallel prefix scan, which doubles the span of every product in each round.

use haltbench_sdk::Result;

use crate::group::{Element, Group};
use crate::question;

/// The running products of a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first word that is no element.
pub fn answer(question: &str, group: &Group) -> Result<String> {
    let elements = question::read(question, group)?;
    let mut products: Vec<Element> = elements.iter().map(|number| group.elements[*number]).collect();
    let mut span = 1;
    while span < products.len() {
        // From the end, so that a round reads products of the round before.
        for place in (span..products.len()).rev() {
            products[place] = products[place - span].then(products[place], group.kind.modulus());
        }
        span *= 2;
    }
    let words = products.iter().map(|product| group.word(product));
    Ok(words.collect::<Result<Vec<&str>>>()?.join(" "))
}
