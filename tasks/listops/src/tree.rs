//! Random expression trees and the cost of every sub-expression.

use haltbench_sdk::random::Stream;

use crate::alphabet::{Operator, Operators, Symbol};
use crate::law::{Goal, Law};

/// The cost of evaluating a sub-expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its value.
    pub value: u8,
    /// Number of operators.
    pub operators: u16,
    /// Number of operators on the longest path to a digit.
    pub height: u16,
    /// Number of operators on the longest path to a digit through arguments that decide the value.
    pub dependency: u16,
    /// Number of arguments; 0 for a digit.
    pub arguments: u16,
    /// Place, from 1 on, of the first argument that decides the value; 0 if all do, as in a sum.
    pub selected: u16,
}

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// An operator or a digit.
    pub symbol: Symbol,
    /// Index after the last node of the sub-expression.
    pub end: usize,
    /// Cost of the sub-expression under this node.
    pub measure: Measure,
}

/// One printed symbol of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Printed {
    /// The symbol.
    pub symbol: Symbol,
    /// Index of the node that is printed or closed.
    pub node: usize,
}

/// An expression: its nodes, every operator before its arguments.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The nodes, of which the first is the root.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Draws an expression of a height, with operators all equally likely and uniform digits, given its height and that
    /// it has `lengths` tokens, from the first to the second number.
    pub fn grow(height: usize, lengths: [usize; 2], law: &Law, operators: &Operators, stream: &mut Stream) -> Self {
        let tokens = law.draw_length(height, lengths, stream);
        let mut tree = Self { nodes: Vec::with_capacity(tokens) };
        tree.add(Goal { height, is_reached: true, tokens }, law, operators, stream);
        tree
    }

    /// Adds a sub-expression that meets `goal`. Recursion is as deep as the expression, at most 20.
    fn add(&mut self, goal: Goal, law: &Law, operators: &Operators, stream: &mut Stream) {
        let index = self.nodes.len();
        let Some(inside) = goal.tokens.checked_sub(2) else {
            let value = stream.below(10) as u8;
            let measure = Measure { value, ..Measure::default() };
            self.nodes.push(Node { symbol: Symbol::Digit(value), end: index + 1, measure });
            return;
        };
        let operator = *stream.choose(&operators.0);
        self.nodes.push(Node { symbol: Symbol::Open(operator), end: 0, measure: Measure::default() });
        let mut rest = Goal { height: goal.height.saturating_sub(1), tokens: inside, ..goal };
        for left in (1..=law.draw_count(rest, stream)).rev() {
            let [first, others] = law.draw_first(rest, left, stream);
            self.add(first, law, operators, stream);
            rest = others;
        }
        self.nodes[index].end = self.nodes.len();
        let arguments: Vec<Measure> = self.arguments(index).map(|node| self.nodes[node].measure).collect();
        self.nodes[index].measure = combine(operator, &arguments);
    }

    /// The cost of the whole expression.
    pub fn root(&self) -> Measure {
        self.nodes.first().map(|node| node.measure).unwrap_or_default()
    }

    /// Indices of the arguments of the operator at `index`.
    pub fn arguments(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.nodes[index].end;
        let within = move |node: &usize| *node < end;
        std::iter::successors(Some(index + 1).filter(within), move |node| Some(self.nodes[*node].end).filter(within))
    }

    /// The symbols of the expression in order, closing brackets included.
    pub fn printed(&self) -> Vec<Printed> {
        let mut printed = Vec::with_capacity(2 * self.nodes.len());
        let mut open: Vec<usize> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            printed.push(Printed { symbol: node.symbol, node: index });
            if matches!(node.symbol, Symbol::Open(_)) {
                open.push(index);
            }
            // A digit may complete several operators at once.
            while let Some(complete) = open.pop_if(|open| self.nodes[*open].end == index + 1) {
                printed.push(Printed { symbol: Symbol::Close, node: complete });
            }
        }
        printed
    }
}

/// The measure of `operator` over arguments.
fn combine(operator: Operator, arguments: &[Measure]) -> Measure {
    // Arguments by value; of equal ones the earlier comes first.
    let mut order: Vec<usize> = (0..arguments.len()).collect();
    order.sort_by_key(|argument| arguments[*argument].value);
    let (count, last) = (order.len(), arguments.len() - 1);
    let largest = arguments.iter().map(|argument| argument.value).max().unwrap_or_default();
    let decisive: Vec<usize> = match operator {
        Operator::Minimum => vec![order[0]],
        Operator::Maximum => arguments.iter().position(|argument| argument.value == largest).into_iter().collect(),
        Operator::Median => order[(count - 1) / 2..=count / 2].to_vec(),
        Operator::Sum => (0..=last).collect(),
    };
    let values = || decisive.iter().map(|argument| u32::from(arguments[*argument].value));
    let value = match operator {
        Operator::Sum => values().sum::<u32>() % 10,
        _ => values().sum::<u32>() / decisive.len() as u32,
    };
    let most = |of: fn(&Measure) -> u16, among: &mut dyn Iterator<Item = usize>| {
        among.map(|argument| of(&arguments[argument])).max().unwrap_or(0)
    };
    Measure {
        value: value as u8,
        operators: 1 + arguments.iter().map(|argument| argument.operators).sum::<u16>(),
        height: 1 + most(|measure| measure.height, &mut (0..count)),
        dependency: 1 + most(|measure| measure.dependency, &mut decisive.iter().copied()),
        arguments: count as u16,
        selected: if operator == Operator::Sum { 0 } else { 1 + decisive[0] as u16 },
    }
}
