//! The solver: reads a question from left to right and sorts the arguments of every operator. Its stack is explicit, so
//! only memory limits nesting.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Operator, Operators, Symbol};

/// The value of an expression, which may be a lone digit.
///
/// # Errors
/// [`Error::Malformed`] at the first token that does not parse.
pub fn single(question: &str, operators: &Operators) -> Result<u8> {
    read(question, operators).map(|read| read.value)
}

/// The values of all operators, in the order of their closing brackets.
///
/// # Errors
/// [`Error::Malformed`] at the first token that does not parse, or if there is no operator.
pub fn stream(question: &str, operators: &Operators) -> Result<Vec<u8>> {
    let read = read(question, operators)?;
    if read.closed.is_empty() {
        return Err(Error::malformed(1, format!("expected {}, found `{}`", operators.expected(), read.value)));
    }
    Ok(read.closed)
}

/// The values of an evaluated question.
struct Read {
    /// Of the whole expression.
    value: u8,
    /// Of every operator, in the order of the closing brackets.
    closed: Vec<u8>,
}

fn read(question: &str, operators: &Operators) -> Result<Read> {
    // The values of complete arguments; every open operator knows where its own begin.
    let mut values: Vec<u8> = Vec::new();
    let mut open: Vec<(Operator, usize)> = Vec::new();
    let mut closed = Vec::new();
    let mut length = 0;
    for word in question.split_whitespace() {
        length += 1;
        let symbol = operators.read(word, length)?;
        if open.is_empty() && !values.is_empty() {
            let message = format!("expected the end of the expression, found `{}`", shorten(word));
            return Err(Error::malformed(length, message));
        }
        match symbol {
            Symbol::Open(operator) => open.push((operator, values.len())),
            Symbol::Digit(value) => values.push(value),
            Symbol::Close => {
                let Some((operator, first)) = open.pop() else {
                    let message = format!("expected {} or a digit, found `]`", operators.expected());
                    return Err(Error::malformed(length, message));
                };
                if first == values.len() {
                    let message = format!("expected an argument of `{}`, found `]`", operator.word());
                    return Err(Error::malformed(length, message));
                }
                let value = apply(operator, &mut values[first..]);
                values.truncate(first);
                values.push(value);
                closed.push(value);
            }
        }
    }
    match (open.len(), values.first()) {
        (0, Some(value)) => Ok(Read { value: *value, closed }),
        (0, None) => {
            let message = format!("expected {} or a digit, found the end", operators.expected());
            Err(Error::malformed(1, message))
        }
        (count, _) => {
            let brackets = if count == 1 { "bracket" } else { "brackets" };
            Err(Error::malformed(length + 1, format!("expected `]` for {count} open {brackets}, found the end")))
        }
    }
}

/// The value of `operator` over digits, at least one; sorts them.
fn apply(operator: Operator, arguments: &mut [u8]) -> u8 {
    arguments.sort_unstable();
    let (first, last) = (arguments[0], arguments[arguments.len() - 1]);
    match operator {
        Operator::Minimum => first,
        Operator::Maximum => last,
        Operator::Median => (arguments[(arguments.len() - 1) / 2] + arguments[arguments.len() / 2]) / 2,
        Operator::Sum => arguments.iter().fold(0, |sum, argument| (sum + argument) % 10),
    }
}
