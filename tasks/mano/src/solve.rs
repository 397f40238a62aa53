//! The solver: reads a question from left to right. Its stack is explicit, so only memory limits nesting.

use haltbench_sdk::{Error, Result};

use crate::alphabet::{Alphabet, Operator, Symbol};

/// The value of a prefix expression.
///
/// # Errors
/// [`Error::Malformed`] at the first token that does not parse.
pub fn prefix(question: &str, alphabet: &Alphabet) -> Result<u32> {
    let mut open = Vec::new();
    let mut result = None;
    let mut length = 0;
    for word in question.split_whitespace() {
        length += 1;
        let symbol = alphabet.read(word, length)?;
        if result.is_some() {
            return Err(Error::malformed(length, format!("expected the end of the expression, found `{word}`")));
        }
        match symbol {
            Symbol::Operator(operator) => open.push((operator, None)),
            Symbol::Operand(value) => result = close(value, &mut open, alphabet.modulus),
        }
    }
    result.ok_or_else(|| {
        // Every open operator lacks its right operand; the innermost may lack both.
        let missing = open.len() + usize::from(open.last().is_none_or(|(_, left)| left.is_none()));
        let operands = if missing == 1 { "operand" } else { "operands" };
        Error::malformed(length + 1, format!("expected {missing} more {operands}, found the end"))
    })
}

/// Passes `value` to the waiting operators; returns the value of the whole expression if no operator waits any more.
fn close(mut value: u32, open: &mut Vec<(Operator, Option<u32>)>, modulus: u32) -> Option<u32> {
    while let Some((operator, left)) = open.pop() {
        let Some(left) = left else {
            open.push((operator, Some(value)));
            return None;
        };
        value = operator.apply(left, value, modulus);
    }
    Some(value)
}

/// The values of all operators of a postfix expression, in order.
///
/// # Errors
/// [`Error::Malformed`] at the first token that does not parse.
pub fn postfix(question: &str, alphabet: &Alphabet) -> Result<Vec<u32>> {
    let mut stack = Vec::new();
    let mut values = Vec::new();
    let mut length = 0;
    for word in question.split_whitespace() {
        length += 1;
        match alphabet.read(word, length)? {
            Symbol::Operand(value) => stack.push(value),
            Symbol::Operator(operator) => {
                let waiting = stack.len();
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else {
                    return Err(Error::malformed(
                        length,
                        format!("expected two operands before `{word}`, found {waiting}"),
                    ));
                };
                let value = operator.apply(left, right, alphabet.modulus);
                stack.push(value);
                values.push(value);
            }
        }
    }
    match (stack.len(), values.len()) {
        (0, _) => Err(Error::malformed(length + 1, "expected an operand, found the end")),
        (1, 0) => Err(Error::malformed(length + 1, "expected an operand and an operator, found the end")),
        (1, _) => Ok(values),
        (left, _) => {
            Err(Error::malformed(length + 1, format!("expected an operator for {left} operands, found the end")))
        }
    }
}
