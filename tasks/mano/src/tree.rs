//! Random expression trees and what every sub-expression costs.

use haltbench_sdk::random::Stream;

use crate::alphabet::{Alphabet, Operator, Symbol};

/// What evaluating a sub-expression takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its value.
    pub value: u16,
    /// Its operators.
    pub operators: u16,
    /// Operators on the longest path to an operand.
    pub height: u16,
    /// Fewest operators whose values settle it, when a product is settled by a factor that is 0.
    pub lazy: u16,
    /// Its products with a factor that is 0.
    pub zero_products: u16,
}

/// Where a node stands in its expression.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Operators above the node.
    pub depth: u16,
    /// Operands that the operator right above still lacks before this node; 0 for the root.
    pub lacks: u16,
    /// Operators of the left operand that ends just before this node; 0 if none does.
    pub completed: u16,
}

/// One node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Node {
    /// The [number](Symbol::number) of its symbol.
    pub symbol: u16,
    /// In node `k`, whatever it is: where operator number `k` of the expression is. A loop over these needs no branch on
    /// what a node is, which cannot be predicted.
    operator_at: u16,
    /// Where it stands.
    pub place: Place,
    /// What the sub-expression under this node costs.
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
    /// The nodes; every operand follows its operator.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Draws a tree of exactly `size` operators: the operator is uniform, so is the size of the left operand.
    pub fn grow(size: usize, alphabet: &Alphabet, stream: &mut Stream) -> Self {
        // A tree of n operators has 2n + 1 nodes.
        let mut nodes = vec![Node::default(); 2 * size + 1];
        let mut count = 0;
        // The node at hand, which a left operand never has to be read for.
        let (mut place, mut size) = (Place::default(), size as u16);
        for index in 0..nodes.len() {
            nodes[index].place = place;
            nodes[index].measure.operators = size;
            if size == 0 {
                let value = stream.below(u64::from(alphabet.modulus)) as u16;
                nodes[index].symbol = Symbol::Operand(u32::from(value)).number();
                nodes[index].measure.value = value;
                // A right operand, if there is one: it waits there.
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

    /// The whole expression's measure.
    pub fn root(&self) -> Measure {
        self.nodes.first().map(|node| node.measure).unwrap_or_default()
    }

    /// The operands of the operator at `index`, left and right.
    #[inline]
    pub fn operands(&self, index: usize) -> [usize; 2] {
        // The left one is the next node; one of n operators has 2n + 1 nodes.
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

    /// Operands come after their operators, so one pass from the end finds both operands measured.
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

/// The measure of `left` operator `right`, which are `operators` operators.
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
