//! The checker: keeps the inverse of the product, as the place where each point comes from, and residues modulo 3, 4
//! and 5. It shares the words with the solver and the generator, but multiplies nothing.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::group::{Group, POINTS};
use crate::question;

/// Pairwise coprime numbers whose product, 60, every cyclic part divides.
const PRIME_POWERS: [u8; 3] = [3, 4, 5];

/// Checks the running products of a question.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, group: &Group) -> Result<Verdict> {
    let elements = question::read(question, group)?;
    Ok(match compare(&elements, answer, group) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn compare(elements: &[usize], answer: &str, group: &Group) -> Result<(), String> {
    let mut words = answer.split_whitespace();
    // The product maps `origins[point]` to `point`.
    let mut origins: [u8; POINTS] = [0, 1, 2, 3, 4];
    let mut remainders = [0; PRIME_POWERS.len()];
    for (place, element) in (1..).zip(elements) {
        let element = &group.elements[*element];
        let mut comes_from = [0; POINTS];
        for (point, image) in (0..).zip(element.images) {
            comes_from[usize::from(image)] = point;
        }
        origins = origins.map(|origin| comes_from[usize::from(origin)]);
        for (remainder, modulus) in remainders.iter_mut().zip(PRIME_POWERS) {
            *remainder = (*remainder + element.residue) % modulus;
        }
        let Some(word) = words.next() else {
            return Err(format!("product {place}: expected {}, found the end", group.kind.expected()));
        };
        let Some(found) = group.read(word).map(|number| group.elements[number]) else {
            return Err(format!("product {place}: expected {}, found `{}`", group.kind.expected(), shorten(word)));
        };
        for (point, origin) in origins.iter().enumerate() {
            let image = found.images[usize::from(*origin)];
            if usize::from(image) != point {
                return Err(format!(
                    "product {place}: the elements lead from {origin} to {point}, `{word}` to {image}"
                ));
            }
        }
        for (remainder, modulus) in remainders.iter().zip(PRIME_POWERS) {
            if group.kind.modulus().is_multiple_of(modulus) && found.residue % modulus != *remainder {
                let sum = format!("the sum is {remainder} modulo {modulus}");
                return Err(format!("product {place}: {sum}, `{word}` is {}", found.residue % modulus));
            }
        }
    }
    match words.next() {
        Some(word) => {
            let count = elements.len();
            Err(format!("expected {count} products and no more, found `{}`", shorten(word)))
        }
        None => Ok(()),
    }
}
