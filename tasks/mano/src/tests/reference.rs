//! A plain recursive parser of expressions: the expected columns, straight from their definitions.

use haltbench_sdk::parameters::Value;

use super::{column, configured, draw, stream};
use crate::alphabet::Operator;
use crate::prefix;

/// An expression as in a textbook.
pub enum Expression {
    Operand(i64),
    Operation(char, Box<Expression>, Box<Expression>),
}

use Expression::{Operand, Operation};

impl Expression {
    /// Reads prefix words; set `mirrored` for reversed postfix words.
    pub fn read(words: &mut dyn Iterator<Item = &str>, mirrored: bool) -> Self {
        let word = words.next().unwrap();
        match word.parse() {
            Ok(value) => Operand(value),
            Err(_) => {
                let first = Box::new(Self::read(words, mirrored));
                let second = Box::new(Self::read(words, mirrored));
                let (left, right) = if mirrored { (second, first) } else { (first, second) };
                Operation(word.chars().next().unwrap(), left, right)
            }
        }
    }

    pub fn value(&self) -> i64 {
        match self {
            Operand(value) => *value,
            Operation('+', left, right) => (left.value() + right.value()) % 23,
            Operation('-', left, right) => (left.value() + 23 - right.value()) % 23,
            Operation(_, left, right) => (left.value() * right.value()) % 23,
        }
    }

    pub fn operators(&self) -> usize {
        match self {
            Operand(_) => 0,
            Operation(_, left, right) => 1 + left.operators() + right.operators(),
        }
    }

    pub fn height(&self) -> usize {
        match self {
            Operand(_) => 0,
            Operation(_, left, right) => 1 + left.height().max(right.height()),
        }
    }

    /// The fewest operators that determine the value.
    pub fn lazy(&self) -> usize {
        match self {
            Operand(_) => 0,
            Operation(operator, left, right) => {
                let mut ways = vec![left.lazy() + right.lazy()];
                let factors = [left, right].into_iter().filter(|factor| *operator == '*' && factor.value() == 0);
                ways.extend(factors.map(|factor| factor.lazy()));
                1 + ways.into_iter().min().unwrap()
            }
        }
    }

    fn zero_products(&self) -> usize {
        match self {
            Operand(_) => 0,
            Operation(_, left, right) => self.is_zero_product() + left.zero_products() + right.zero_products(),
        }
    }

    fn is_zero_product(&self) -> usize {
        match self {
            Operation('*', left, right) => usize::from(left.value() == 0 || right.value() == 0),
            _ => 0,
        }
    }

    /// For every token of the prefix form: operator, stack depth, remaining operands, completed subtree.
    fn prefix_rows(&self, depth: usize, remaining: usize, completed: usize, rows: &mut Vec<[f32; 4]>) {
        rows.push([self.identity(), depth as f32, remaining as f32, completed as f32]);
        if let Operation(_, left, right) = self {
            left.prefix_rows(depth + 1, 2, 0, rows);
            right.prefix_rows(depth + 1, 1, left.operators(), rows);
        }
    }

    /// For every token of the postfix form: operator, stack depth, completed subtree, operand distance, zero factor,
    /// operators, height, lazy operators.
    fn postfix_rows(&self, depth: usize, completed: usize, rows: &mut Vec<[f32; 8]>) {
        let undefined = f32::NAN;
        if let Operation(_, left, right) = self {
            left.postfix_rows(depth, completed, rows);
            let end = rows.len();
            right.postfix_rows(depth + 1, left.operators(), rows);
            let distance = rows.len() - (end - 1);
            let state = [depth + 2, right.operators(), distance, self.is_zero_product()];
            let cost = [self.operators(), self.height(), self.lazy()];
            let [a, b, c, d] = state.map(|number| number as f32);
            let [e, f, g] = cost.map(|number| number as f32);
            rows.push([self.identity(), a, b, c, d, e, f, g]);
        } else {
            let (depth, completed) = (depth as f32, completed as f32);
            rows.push([undefined, depth, completed, undefined, undefined, undefined, undefined, undefined]);
        }
    }

    fn identity(&self) -> f32 {
        let place = |sign: char| Operator::ALL.iter().position(|operator| operator.word().starts_with(sign)).unwrap();
        if let Operation(sign, ..) = self { place(*sign) as f32 } else { f32::NAN }
    }
}

/// Checks that both are equal, and undefined in the same places.
fn agree(found: &[f32], expected: impl Iterator<Item = f32>, what: &str) {
    let bits = |value: f32| if value.is_nan() { None } else { Some(value.to_bits()) };
    let expected: Vec<_> = expected.map(bits).collect();
    assert_eq!(found.iter().copied().map(bits).collect::<Vec<_>>(), expected, "{what}");
}

#[test]
fn known_costs() {
    let read = |text: &str| Expression::read(&mut text.split(' '), false);
    let known = [("* 5 * * 3 14 4", 3, 3), ("* 0 + 1 + 2 3", 3, 1), ("* - 4 4 * 0 + 1 2", 3, 2), ("+ 0 * 1 2", 2, 2)];
    for (text, height, lazy) in known {
        assert_eq!((read(text).height(), read(text).lazy()), (height, lazy), "{text}");
    }
}

#[test]
fn prefix_columns_are_those_of_the_definitions() {
    for length_token in [true, false] {
        prefix_columns(length_token);
    }
}

fn prefix_columns(length_token: bool) {
    let task = configured(&prefix::DECLARATION, &[("length_token", Value::Flag(length_token))]).unwrap();
    for seed in 0..200 {
        for size in 1..=20 {
            let instance = draw(&*task, size, seed);
            let expression = Expression::read(&mut instance.question.split(' '), false);
            assert_eq!(expression.operators(), size as usize);
            assert_eq!(expression.value().to_string(), instance.answer);
            let length = instance.tokens.len();
            let before = 1 + usize::from(length_token);
            assert_eq!(length, before + 2 * size as usize + 3);
            let mut rows = Vec::new();
            expression.prefix_rows(0, 0, 0, &mut rows);
            let undefined = [f32::NAN; 4];
            let rows: Vec<_> = vec![undefined; before].into_iter().chain(rows).chain([undefined, undefined]).collect();
            for (place, name) in
                ["operator", "stack_depth", "remaining_operands", "completed_subtree"].iter().enumerate()
            {
                agree(&column(&*task, &instance, name), rows.iter().map(|row| row[place]), name);
            }
            // An operator is on the stack while its operands are read, so the deepest token has all operators of its
            // chain above it.
            let peak = rows.iter().map(|row| row[1]).fold(0.0, f32::max);
            let at_value = [
                ("ops", expression.operators() as f32),
                ("height", expression.height() as f32),
                ("lazy_ops", expression.lazy() as f32),
                ("peak_depth", peak),
                ("zero_products", expression.zero_products() as f32),
            ];
            for (name, number) in at_value {
                let expected = (0..length).map(|index| if index == length - 1 { number } else { f32::NAN });
                agree(&column(&*task, &instance, name), expected, name);
            }
            agree(&column(&*task, &instance, "position"), (0..length).map(|place| place as f32), "position");
            agree(&column(&*task, &instance, "length"), (0..length).map(|_| (2 * size + 1) as f32), "length");
            agree(&column(&*task, &instance, "size"), (0..length).map(|_| size as f32), "size");
        }
    }
}

#[test]
fn postfix_columns_are_those_of_the_definitions() {
    let task = stream();
    let names = [
        "operator",
        "stack_depth",
        "completed_subtree",
        "operand_distance",
        "zero_factor",
        "ops",
        "height",
        "lazy_ops",
    ];
    for seed in 0..200 {
        for size in 1..=16 {
            let instance = draw(&*task, size, seed);
            let expression = Expression::read(&mut instance.question.split(' ').rev(), true);
            assert_eq!(expression.operators(), size as usize);
            let mut rows = vec![[f32::NAN; 8]];
            expression.postfix_rows(0, 0, &mut rows);
            for (place, name) in names.iter().enumerate() {
                agree(&column(&*task, &instance, name), rows.iter().map(|row| row[place]), name);
            }
            assert_eq!(instance.answer.split(' ').next_back().unwrap(), expression.value().to_string());
        }
    }
}
