//! Random expression trees and what every sub-expression costs.

use haltbench_sdk::random::Stream;

use crate::alphabet::{Alphabet, Operator, Symbol};

/// What evaluating a sub-expression takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its value.
    pub value: u32,
    /// Its operators.
    pub operators: u32,
    /// Operators on the longest path to an operand.
    pub height: u32,
    /// Fewest operators whose values settle it, when a product is settled by a factor that is 0.
    pub lazy: u32,
    /// Whether it is a product with a factor that is 0.
    pub zero_factor: bool,
}

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Operator or operand.
    pub symbol: Symbol,
    /// Where an operator's right operand is; 0 for operands. The left one is the next node.
    pub right: u32,
    /// Operators above the node.
    pub depth: u32,
    /// Operands that the operator right above still lacks before this node; 0 for the root.
    pub lacks: u32,
    /// Operators of the left operand that ends just before this node; 0 if none does.
    pub completed: u32,
    /// What the sub-expression under this node costs.
    pub measure: Measure,
}

/// An expression: its nodes in prefix order.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The nodes; every operand follows its operator.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Draws a tree of exactly `size` operators: the operator is uniform, so is the size of the left operand.
    ///
    /// A tree of n operators has 2n + 1 nodes, so the places of both operands are known before they are drawn: what they
    /// are told waits there.
    pub fn grow(size: usize, alphabet: &Alphabet, stream: &mut Stream) -> Self {
        let node = |size: usize, depth, lacks, completed| Node {
            symbol: Symbol::Operand(0),
            right: 0,
            depth,
            lacks,
            completed,
            measure: Measure { operators: size as u32, ..Measure::default() },
        };
        let mut nodes = vec![node(size, 0, 0, 0); 2 * size + 1];
        for place in 0..nodes.len() {
            let Node { depth, measure: Measure { operators: size, .. }, .. } = nodes[place];
            let size = size as usize;
            if size == 0 {
                let value = stream.below(u64::from(alphabet.modulus)) as u32;
                nodes[place].symbol = Symbol::Operand(value);
                nodes[place].measure.value = value;
            } else {
                let operator = *stream.choose(&alphabet.operators);
                let left = stream.below(size as u64) as usize;
                let right = place + 2 * left + 2;
                nodes[place].symbol = Symbol::Operator(operator);
                nodes[place].right = right as u32;
                nodes[place + 1] = node(left, depth + 1, 2, 0);
                nodes[right] = node(size - 1 - left, depth + 1, 1, left as u32);
            }
        }
        let mut tree = Self { nodes };
        tree.measure(alphabet.modulus);
        tree
    }

    /// The whole expression's measure.
    pub fn root(&self) -> Measure {
        self.nodes.first().map(|node| node.measure).unwrap_or_default()
    }

    /// The nodes in postfix order.
    pub fn postfix(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![0];
        // Operator, right, left is the mirror image of left, right, operator.
        while let Some(index) = pending.pop() {
            order.push(index);
            if let Symbol::Operator(_) = self.nodes[index].symbol {
                pending.extend([index + 1, self.nodes[index].right as usize]);
            }
        }
        order.reverse();
        order
    }

    /// Operands come after their operators, so one pass from the end finds both operands measured.
    fn measure(&mut self, modulus: u32) {
        for index in (0..self.nodes.len()).rev() {
            let Node { symbol, right, .. } = self.nodes[index];
            if let Symbol::Operator(operator) = symbol {
                let [left, right] = [index + 1, right as usize].map(|operand| self.nodes[operand].measure);
                self.nodes[index].measure = combine(operator, left, right, modulus);
            }
        }
    }
}

/// The measure of `left` operator `right`.
fn combine(operator: Operator, left: Measure, right: Measure, modulus: u32) -> Measure {
    let is_product = operator == Operator::Multiply;
    let zeros = (is_product & (left.value == 0), is_product & (right.value == 0));
    let lazy = match zeros {
        (true, true) => left.lazy.min(right.lazy),
        (true, false) => left.lazy,
        (false, true) => right.lazy,
        (false, false) => left.lazy + right.lazy,
    };
    Measure {
        value: operator.apply(left.value, right.value, modulus),
        operators: 1 + left.operators + right.operators,
        height: 1 + left.height.max(right.height),
        lazy: 1 + lazy,
        zero_factor: zeros.0 || zeros.1,
    }
}
