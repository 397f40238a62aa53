//! Limits on the length of instances.

use crate::published::{Algorithm, Form, Layout, Row};

/// Largest number of characters of a number with three decimals.
const NUMBER: usize = 5;

/// An upper bound of the tokens of an instance of `size`; some instances come close to it.
pub fn longest(row: &Row, size: usize) -> usize {
    let sign = usize::from(matches!(row.form, Form::Points) || row.algorithm == Algorithm::FindMaximumSubarrayKadane);
    let index = digits(size);
    // A list has one separator fewer than entries, and two brackets.
    let list = |count: usize, width: usize| count * (width + 1) + 1;
    let matrix = |width: usize| size * list(size, width) + 2 * size;
    let named = |text: &str, length: usize| text.len() + 2 + length;
    let input = match row.form {
        Form::Keys | Form::Dimensions => named("key", list(size, NUMBER + sign)),
        Form::Search => named("key", list(size, NUMBER)) + 2 + named("target", NUMBER),
        Form::Probabilities => 2 * named("p", list(size + 1, NUMBER)) + 2,
        Form::Activities => 2 * named("s", list(size, NUMBER)) + 2,
        Form::Tasks => named("d", list(size, index)) + 2 + named("w", list(size, NUMBER)),
        Form::Strings => named("string", list(size, 1)) + 2 + named("key", list(size, 1)),
        Form::Points if row.algorithm == Algorithm::SegmentsIntersect => 2 * named("x", list(4, NUMBER)) + 2,
        Form::Points => 2 * named("x", list(size, NUMBER + sign)) + 2,
        Form::Graph(edges) => named("A", matrix(width(edges.whole, edges.weighted))),
        Form::SourcedGraph(edges) => named("s", index) + 2 + named("A", matrix(width(edges.whole, edges.weighted))),
    };
    let entry = match row.algorithm {
        Algorithm::Bridges | Algorithm::LcsLength => 2,
        Algorithm::ArticulationPoints
        | Algorithm::ActivitySelector
        | Algorithm::TaskScheduling
        | Algorithm::GrahamScan
        | Algorithm::JarvisMarch
        | Algorithm::MstKruskal => 1,
        _ => index,
    };
    let answer = match row.layout {
        Layout::Numbers(count) => count * index + 2 * (count - 1),
        Layout::Vector => list(size, entry),
        Layout::Keys => list(size, NUMBER + sign),
        Layout::VectorAndNode => list(size, entry) + 2 + index,
        Layout::Matrix if row.form == Form::Probabilities => (size + 1) * (list(size + 1, entry) + 2),
        Layout::Matrix => matrix(entry),
    };
    // Includes the start, two line ends and colons of the question, its last line end, and the end of the answer.
    1 + row.name.len() + 2 + input + 1 + row.outputs.len() + 2 + answer + 2
}

fn width(whole: bool, weighted: bool) -> usize {
    match (whole, weighted) {
        (true, _) => 1,
        (false, false) => 3,
        (false, true) => NUMBER,
    }
}

fn digits(number: usize) -> usize {
    number.max(1).ilog10() as usize + 1
}
