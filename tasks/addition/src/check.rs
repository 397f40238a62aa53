//! The checker: subtracts the second number from the answer, which must leave the first.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::question::{self, Question};
use crate::settings::{First, Form};

/// Checks the digits of a sum.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) if the question does not parse.
pub fn check(question: &str, answer: &str, form: Form) -> Result<Verdict> {
    let question = question::read(question, form)?;
    Ok(match compare(&question, answer, form) {
        Ok(()) => Verdict::valid(),
        Err(reason) => Verdict::wrong(reason),
    })
}

fn compare(question: &Question, answer: &str, form: Form) -> Result<(), String> {
    let mut digits = Vec::new();
    for (number, word) in (1..).zip(answer.split_whitespace()) {
        let digit = question::digit(word);
        digits
            .push(digit.ok_or_else(|| format!("digit {number}: expected one from 0 to 9, found `{}`", shorten(word)))?);
    }
    let (places, found) = (question.places(), digits.len());
    if form.is_padded && found != places + 1 {
        return Err(format!("expected {} digits, found {found}", places + 1));
    }
    if found < places || found > places + 1 {
        return Err(format!("expected {places} or {} digits, found {found}", places + 1));
    }
    if form.first == First::Most {
        digits.reverse();
    }
    if !form.is_padded && found > 1 && digits.last() == Some(&0) {
        return Err("the most significant digit is 0".to_owned());
    }
    let mut borrow = 0;
    for (place, digit) in digits.iter().enumerate() {
        let [first, second] =
            [0, 1].map(|operand| i16::from(question.operands[operand].get(place).copied().unwrap_or(0)));
        let rest = i16::from(*digit) - second - borrow;
        borrow = i16::from(rest < 0);
        let rest = rest + 10 * borrow;
        if rest != first {
            return Err(format!(
                "the answer minus the second number has {rest} at 10^{place}, where the first number has {first}"
            ));
        }
    }
    if borrow == 0 { Ok(()) } else { Err("the answer is smaller than the second number".to_owned()) }
}
