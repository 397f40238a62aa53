//! The checker: checks the brackets by counting, then evaluates from right to left with a count of every digit.
//!
//! It shares the words with the solver and the generator, but neither the order of evaluation nor the arithmetic.

use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Operator, Operators, Symbol, digit};

/// Checks the answer to a question with one answer.
///
/// # Errors
/// [`Error::Malformed`] if the question does not parse.
pub fn single(question: &str, answer: &str, operators: &Operators) -> Result<Verdict> {
    let symbols = read(question, operators)?;
    let value = match symbols[..] {
        [Symbol::Digit(value)] => Some(value),
        _ => values(&symbols).last().copied(),
    };
    Ok(compare(value.as_slice(), answer))
}

/// Checks the values of all operators, in the order of their closing brackets.
///
/// # Errors
/// [`Error::Malformed`] if the question does not parse or has no operator.
pub fn stream(question: &str, answer: &str, operators: &Operators) -> Result<Verdict> {
    let symbols = read(question, operators)?;
    if symbols.len() == 1 {
        return Err(Error::malformed(1, "the expression has no operator"));
    }
    Ok(compare(&values(&symbols), answer))
}

/// Reads one expression whose brackets match and enclose arguments.
fn read(question: &str, operators: &Operators) -> Result<Vec<Symbol>> {
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut open = 0;
    for word in question.split_whitespace() {
        let position = symbols.len() + 1;
        let symbol = operators.read(word, position)?;
        if position > 1 && open == 0 {
            return Err(Error::malformed(position, format!("the expression is complete before `{}`", shorten(word))));
        }
        match symbol {
            Symbol::Open(_) => open += 1,
            Symbol::Close if open == 0 => return Err(Error::malformed(position, "`]` closes no bracket")),
            Symbol::Close if matches!(symbols.last(), Some(Symbol::Open(_))) => {
                return Err(Error::malformed(position, "`]` closes an empty list"));
            }
            Symbol::Close => open -= 1,
            Symbol::Digit(_) => {}
        }
        symbols.push(symbol);
    }
    let end = symbols.len() + 1;
    if end == 1 {
        return Err(Error::malformed(end, "the expression is empty"));
    }
    if open > 0 {
        let brackets = if open == 1 { "bracket closes" } else { "brackets close" };
        return Err(Error::malformed(end, format!("the expression ends before {open} {brackets}")));
    }
    Ok(symbols)
}

/// The values of all operators in the order of their closing brackets.
fn values(symbols: &[Symbol]) -> Vec<u8> {
    let closings = symbols.iter().filter(|symbol| matches!(symbol, Symbol::Close)).count();
    let mut values = vec![0; closings];
    let mut next = closings;
    let mut open: Vec<Counts> = Vec::new();
    for symbol in symbols.iter().rev() {
        let value = match symbol {
            Symbol::Close => {
                next -= 1;
                open.push(Counts { place: next, of: [0; 10] });
                continue;
            }
            Symbol::Digit(value) => *value,
            Symbol::Open(operator) => match open.pop() {
                Some(counts) => {
                    values[counts.place] = counts.evaluate(*operator);
                    values[counts.place]
                }
                None => continue,
            },
        };
        if let Some(counts) = open.last_mut() {
            counts.of[usize::from(value)] += 1;
        }
    }
    values
}

/// How often every digit is an argument of an operator.
struct Counts {
    /// Place of the closing bracket among all.
    place: usize,
    of: [u64; 10],
}

impl Counts {
    fn evaluate(&self, operator: Operator) -> u8 {
        let all: u64 = self.of.iter().sum();
        match operator {
            Operator::Minimum => self.ranked(1),
            Operator::Maximum => self.ranked(all),
            // The same argument twice if their number is odd.
            Operator::Median => (self.ranked(all.div_ceil(2)) + self.ranked(all / 2 + 1)) / 2,
            Operator::Sum => {
                ((0..).zip(self.of).map(|(value, count): (u64, u64)| value * count).sum::<u64>() % 10) as u8
            }
        }
    }

    /// The argument at a place of the sorted list, from 1 on.
    fn ranked(&self, place: u64) -> u8 {
        let below = |value: u8| self.of[..usize::from(value)].iter().sum::<u64>() < place;
        (0..10).rev().find(|value| below(*value)).unwrap_or(0)
    }
}

/// Whether `answer` lists exactly the `expected` values.
fn compare(expected: &[u8], answer: &str) -> Verdict {
    let mut words = answer.split_whitespace();
    for (index, expected_value) in expected.iter().enumerate() {
        let place = if expected.len() == 1 { String::new() } else { format!("value {}: ", index + 1) };
        let Some(word) = words.next() else {
            return Verdict::wrong(format!("{place}expected {expected_value}, found the end"));
        };
        let Some(found) = digit(word) else {
            return Verdict::wrong(format!("{place}expected a digit, found `{}`", shorten(word)));
        };
        if found != *expected_value {
            return Verdict::wrong(format!("{place}expected {expected_value}, found {found}"));
        }
    }
    match words.next() {
        Some(word) => {
            let count = expected.len();
            let values = if count == 1 { "value" } else { "values" };
            Verdict::wrong(format!("expected {count} {values} and no more, found `{}`", shorten(word)))
        }
        None => Verdict::valid(),
    }
}
