//! Random expression trees and the cost of every sub-expression.

use haltbench_sdk::random::Stream;

use crate::alphabet::{Alphabet, Operator, Symbol};

/// The cost of evaluating a sub-expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its value.
    pub value: u16,
    /// Number of operators.
    pub operators: u16,
    /// Number of operators on the longest path to an operand.
    pub height: u16,
    /// Fewest operators that determine the value, if a factor of 0 determines its product.
    pub lazy: u16,
    /// Number of products with a factor of 0.
    pub zero_products: u16,
}

/// The place of a node in its expression.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Number of operators above the node.
    pub depth: u16,
    /// Operands that the parent operator lacks before this node; 0 for the root.
    pub lacks: u16,
    /// Operators of the left operand that ends right before this node; 0 if there is none.
    pub completed: u16,
}

/// One node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Node {
    /// The [number](Symbol::number) of the node's symbol.
    pub symbol: u16,
    /// In node `k`, whatever its kind: index of the expression's operator number `k`. Loops over these need no branch
    /// on the kind of a node, which would be mispredicted.
    operator_at: u16,
    /// Its place.
    pub place: Place,
    /// Cost of the sub-expression under this node.
    pub measure: Measure,
}

impl Node {
    /// The operator; `None` for operands.
    #[inline]
    pub fn operator(&self) -> Option<Operator> {
        Operator::ALL.get(usize::from(self.symbol)).copied()
    }
}

/// An expression: its nodes in prefix order.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The nodes; every operand comes after its operator.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Draws a tree of exactly `size` operators, with uniform operators and uniform sizes of left operands.
    pub fn grow(size: usize, alphabet: &Alphabet, stream: &mut Stream) -> Self {
        // A tree of n operators has 2n + 1 nodes.
        let mut nodes = vec![Node::default(); 2 * size + 1];
        let mut count = 0;
        // The current node, kept in variables so that a left operand need not be read back.
        let (mut place, mut size) = (Place::default(), size as u16);
        for index in 0..nodes.len() {
            nodes[index].place = place;
            nodes[index].measure.operators = size;
            if size == 0 {
                let value = stream.below(u64::from(alphabet.modulus)) as u16;
                nodes[index].symbol = Symbol::Operand(u32::from(value)).number();
                nodes[index].measure.value = value;
                // The next node is a waiting right operand, if there is one.
                let next = nodes.get(index + 1).copied().unwrap_or_default();
                (place, size) = (next.place, next.measure.operators);
                continue;
            }
            let operator = *stream.choose(&alphabet.operators);
            let left = stream.below(u64::from(size)) as u16;
            nodes[count].operator_at = index as u16;
            count += 1;
            nodes[index].symbol = Symbol::Operator(operator).number();
            let (depth, right) = (place.depth + 1, index + 2 * usize::from(left) + 2);
            nodes[right].place = Place { depth, lacks: 1, completed: left };
            nodes[right].measure.operators = size - 1 - left;
            (place, size) = (Place { depth, lacks: 2, completed: 0 }, left);
        }
        let mut tree = Self { nodes };
        tree.measure(alphabet.modulus);
        tree
    }

    /// The cost of the whole expression.
    pub fn root(&self) -> Measure {
        self.nodes.first().map(|node| node.measure).unwrap_or_default()
    }

    /// The operands of the operator at `index`, left and right.
    #[inline]
    pub fn operands(&self, index: usize) -> [usize; 2] {
        // The left operand is the next node; with n operators it has 2n + 1 nodes.
        let left = index + 1;
        [left, left + 1 + 2 * usize::from(self.nodes[left].measure.operators)]
    }

    /// The nodes in postfix order.
    pub fn postfix(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut pending = vec![0];
        // Operator, right, left is the mirror image of left, right, operator.
        while let Some(index) = pending.pop() {
            order.push(index);
            if self.nodes[index].operator().is_some() {
                pending.extend(self.operands(index));
            }
        }
        order.reverse();
        order
    }

    /// Operands come after their operators, so a pass from the end measures both operands first.
    fn measure(&mut self, modulus: u32) {
        for number in (0..usize::from(self.root().operators)).rev() {
            let index = usize::from(self.nodes[number].operator_at);
            let node = self.nodes[index];
            if let Some(operator) = node.operator() {
                let operands = self.operands(index).map(|operand| self.nodes[operand].measure);
                self.nodes[index].measure = combine((operator, node.measure.operators), operands, modulus);
            }
        }
    }
}

/// The measure of `left` operator `right`, which has `operators` operators in total.
fn combine((operator, operators): (Operator, u16), [left, right]: [Measure; 2], modulus: u32) -> Measure {
    let is_product = operator == Operator::Multiply;
    let zeros = (is_product & (left.value == 0), is_product & (right.value == 0));
    let lazy = match zeros {
        (true, true) => left.lazy.min(right.lazy),
        (true, false) => left.lazy,
        (false, true) => right.lazy,
        (false, false) => left.lazy + right.lazy,
    };
    Measure {
        value: operator.apply(u32::from(left.value), u32::from(right.value), modulus) as u16,
        operators,
        height: 1 + left.height.max(right.height),
        lazy: 1 + lazy,
        zero_products: u16::from(zeros.0 | zeros.1) + left.zero_products + right.zero_products,
    }
}
