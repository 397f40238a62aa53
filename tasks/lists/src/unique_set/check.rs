//! The checker: finds first occurrences from right to left, demands that the answer goes through them in order, and
//! counts distinct elements by sorting.

use std::collections::BTreeMap;

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::elements::Elements;
use crate::question;

/// Checks a list of distinct elements.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, elements: Elements) -> Result<Verdict> {
    let list = question::read(question, elements)?;
    Ok(match compare(&list, answer, elements) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn compare(list: &[u32], answer: &str, elements: Elements) -> Result<(), String> {
    // An earlier occurrence replaces a later one.
    let firsts: BTreeMap<u32, usize> =
        list.iter().enumerate().rev().map(|(place, element)| (*element, place)).collect();
    let mut last: Option<usize> = None;
    let mut listed = 0;
    for (number, word) in (1..).zip(answer.split_whitespace()) {
        let Some(element) = elements.read(word) else {
            return Err(format!("element {number}: expected {}, found `{}`", elements.expected(), shorten(word)));
        };
        let Some(place) = firsts.get(&element) else {
            return Err(format!("element {number}: `{word}` is not in the list"));
        };
        match last {
            Some(last) if last == *place => return Err(format!("element {number}: `{word}` is listed twice")),
            Some(last) if last > *place => {
                return Err(format!(
                    "element {number}: `{word}` occurs in the list before the element listed before it"
                ));
            }
            _ => {}
        }
        (last, listed) = (Some(*place), number);
    }
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if listed == sorted.len() { Ok(()) } else { Err(format!("expected {} elements, found {listed}", sorted.len())) }
}
