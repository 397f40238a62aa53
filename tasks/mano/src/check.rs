//! The checker: checks the form by counting, then evaluates from right to left with signed arithmetic.
//!
//! It shares the words with the solver and the generator, but neither the order of evaluation nor the arithmetic.

use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Alphabet, Operator, Symbol};

/// Checks the answer to a prefix question: one value.
///
/// # Errors
/// [`Error::Malformed`] if the question does not parse.
pub fn prefix(question: &str, answer: &str, alphabet: &Alphabet) -> Result<Verdict> {
    let symbols = read(question, alphabet, Form::Prefix)?;
    let mut values = Vec::new();
    for symbol in symbols.into_iter().rev() {
        let value = match symbol {
            Symbol::Operand(value) => i64::from(value),
            // Read backwards, a prefix expression has its left operand last.
            Symbol::Operator(operator) => match (values.pop(), values.pop()) {
                (Some(left), Some(right)) => evaluate(operator, left, right, alphabet.modulus),
                _ => return Err(Error::contract("mano", "the checker ran out of operands")),
            },
        };
        values.push(value);
    }
    Ok(compare(&values, answer, alphabet))
}

/// Checks the answer to a postfix question: the values of all operators in order.
///
/// # Errors
/// [`Error::Malformed`] if the question does not parse.
pub fn postfix(question: &str, answer: &str, alphabet: &Alphabet) -> Result<Verdict> {
    let symbols = read(question, alphabet, Form::Postfix)?;
    let operators = symbols.iter().filter(|symbol| matches!(symbol, Symbol::Operator(_))).count();
    let mut values = vec![0; operators];
    let mut next = operators;
    // Read backwards, a postfix expression is a prefix expression whose right operand comes first.
    let mut open: Vec<(Operator, usize, Option<i64>)> = Vec::new();
    for symbol in symbols.into_iter().rev() {
        let mut value = match symbol {
            Symbol::Operator(operator) => {
                next -= 1;
                open.push((operator, next, None));
                continue;
            }
            Symbol::Operand(value) => i64::from(value),
        };
        while let Some((operator, place, right)) = open.pop() {
            let Some(right) = right else {
                open.push((operator, place, Some(value)));
                break;
            };
            value = evaluate(operator, value, right, alphabet.modulus);
            values[place] = value;
        }
    }
    Ok(compare(&values, answer, alphabet))
}

/// The notation of an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Prefix,
    Postfix,
}

/// Reads a well-formed expression. An operator turns two operands into one, so one counter suffices.
fn read(question: &str, alphabet: &Alphabet, form: Form) -> Result<Vec<Symbol>> {
    let mut symbols = Vec::new();
    // Prefix: number of missing operands. Postfix: number of available ones.
    let mut count = usize::from(form == Form::Prefix);
    for word in question.split_whitespace() {
        let position = symbols.len() + 1;
        let symbol = alphabet.read(word, position)?;
        count = match (form, symbol) {
            (Form::Prefix, _) if count == 0 => {
                return Err(Error::malformed(position, format!("the expression is complete before `{word}`")));
            }
            (Form::Prefix, Symbol::Operator(_)) | (Form::Postfix, Symbol::Operand(_)) => count + 1,
            (Form::Postfix, Symbol::Operator(_)) if count < 2 => {
                let precede = if count == 1 { "precedes" } else { "precede" };
                return Err(Error::malformed(
                    position,
                    format!("`{word}` takes two operands, and {count} {precede} it"),
                ));
            }
            _ => count - 1,
        };
        symbols.push(symbol);
    }
    let end = symbols.len() + 1;
    match form {
        Form::Prefix if count > 0 => {
            let operands = if count == 1 { "operand" } else { "operands" };
            Err(Error::malformed(end, format!("the expression ends {count} {operands} early")))
        }
        Form::Postfix if count != 1 => {
            Err(Error::malformed(end, format!("the expression ends with {count} operands, not 1")))
        }
        Form::Postfix if symbols.len() < 2 => Err(Error::malformed(end, "the expression has no operator")),
        Form::Prefix | Form::Postfix => Ok(symbols),
    }
}

fn evaluate(operator: Operator, left: i64, right: i64, modulus: u32) -> i64 {
    let value = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
    };
    value.rem_euclid(i64::from(modulus))
}

/// Whether `answer` lists exactly the `expected` values.
fn compare(expected: &[i64], answer: &str, alphabet: &Alphabet) -> Verdict {
    let mut words = answer.split_whitespace();
    for (index, expected_value) in expected.iter().enumerate() {
        let place = if expected.len() == 1 { String::new() } else { format!("value {}: ", index + 1) };
        let Some(word) = words.next() else {
            return Verdict::wrong(format!("{place}expected {expected_value}, found the end"));
        };
        let Some(found) = alphabet.residue(word) else {
            let last = alphabet.modulus - 1;
            let found = shorten(word);
            return Verdict::wrong(format!("{place}expected a number from 0 to {last}, found `{found}`"));
        };
        if i64::from(found) != *expected_value {
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
