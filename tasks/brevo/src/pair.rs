//! Pairs of answers that print the same node at the same position of the same prompt, after different nodes.
//!
//! All counts from the prompt, the position or the preceding node are equal in both, so a difference of depths at this
//! node is due to the state.

use haltbench_sdk::random::Draws;

use crate::graph::Graph;
use crate::measure::{Step, steps};
use crate::order::Search;

/// The instance of a pair that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The one with the first prefix.
    First,
    /// The one with the other prefix.
    Second,
}

/// Number of orders drawn for a graph; any two of them may form a pair.
const ORDERS: usize = 16;

/// Two answers and the 0-based position at which they print the same node in different states.
pub struct Pair {
    /// Both answers.
    pub answers: [Vec<u16>; 2],
    /// The position.
    pub place: usize,
}

/// Draws a pair of answers, uniformly among the pairs that a few random orders form; `None` if they form none.
pub fn draw(graph: &Graph, search: &Search, draws: &mut Draws) -> Option<Pair> {
    let mut orders: Vec<Vec<Step>> = Vec::with_capacity(ORDERS);
    for _ in 0..ORDERS {
        let answer = search.random_backward(graph, draws);
        orders.push(steps(graph, &answer));
    }
    let mut found = Vec::new();
    for first in 0..ORDERS {
        for second in (0..ORDERS).filter(|second| *second != first) {
            let places = 1..orders[first].len();
            let admitted = places.filter(|place| differs(graph, &orders[first], &orders[second], *place));
            found.extend(admitted.map(|place| (first, second, place)));
        }
    }
    if found.is_empty() {
        return None;
    }
    let (first, second, place) = found[draws.below(found.len())];
    let answer = |order: usize| orders[order].iter().map(|step| step.node).collect();
    Some(Pair { answers: [answer(first), answer(second)], place })
}

/// Whether both orders print the same node at `place`, after nodes of equal degrees, in different states.
fn differs(graph: &Graph, first: &[Step], second: &[Step], place: usize) -> bool {
    let degrees = |step: &Step| {
        let node = graph.node(step.node);
        [&node.predecessors, &node.dependents].map(|neighbours| neighbours.nodes().len())
    };
    let state = |step: &Step| (step.frontier, step.newly, step.unlocks, step.lag);
    let (one, other) = (&first[place], &second[place]);
    one.node == other.node && state(one) != state(other) && degrees(&first[place - 1]) == degrees(&second[place - 1])
}
