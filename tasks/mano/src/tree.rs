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
    pub right: usize,
    /// Operators above the node.
    pub depth: u32,
    /// Operands that the operator right above still lacks before this node; 0 for the root.
    pub lacks: u32,
    /// Operators of the left operand that ends just before this node; 0 if none does.
    pub completed: u32,
    /// What the sub-expression under this node costs.
    pub measure: Measure,
}

/// A sub-expression that is yet to be drawn: its operators, and what its root will be told.
struct Pending {
    size: usize,
    depth: u32,
    lacks: u32,
    completed: u32,
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
    /// Sizes wait on a list of their own, so that a degenerate tree cannot exhaust the call stack.
    pub fn grow(size: usize, alphabet: &Alphabet, stream: &mut Stream) -> Self {
        let mut nodes = Vec::with_capacity(2 * size + 1);
        let mut pending = Vec::with_capacity(size + 1);
        pending.push(Pending { size, depth: 0, lacks: 0, completed: 0 });
        while let Some(Pending { size, depth, lacks, completed }) = pending.pop() {
            let (symbol, right) = if size == 0 {
                (Symbol::Operand(stream.below(u64::from(alphabet.modulus)) as u32), 0)
            } else {
                let operator = *stream.choose(&alphabet.operators);
                let left = stream.below(size as u64) as usize;
                let depth = depth + 1;
                pending.push(Pending { size: size - 1 - left, depth, lacks: 1, completed: left as u32 });
                pending.push(Pending { size: left, depth, lacks: 2, completed: 0 });
                // A tree of n operators has 2n + 1 nodes, so the right operand's place is known before it is drawn.
                (Symbol::Operator(operator), nodes.len() + 2 * left + 2)
            };
            nodes.push(Node { symbol, right, depth, lacks, completed, measure: Measure::default() });
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
                pending.extend([index + 1, self.nodes[index].right]);
            }
        }
        order.reverse();
        order
    }

    /// Operands come after their operators, so one pass from the end finds both operands measured.
    fn measure(&mut self, modulus: u32) {
        for index in (0..self.nodes.len()).rev() {
            let node = self.nodes[index];
            self.nodes[index].measure = match node.symbol {
                Symbol::Operand(value) => Measure { value, ..Measure::default() },
                Symbol::Operator(operator) => {
                    combine(operator, self.nodes[index + 1].measure, self.nodes[node.right].measure, modulus)
                }
            };
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
