//! The solver: adds limbs of nine digits.

use haltbench_sdk::Result;

use crate::question;
use crate::settings::Form;

/// Digits of a limb.
const LIMB: usize = 9;

/// The digits of the sum.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first invalid word of the question.
pub fn answer(question: &str, form: Form) -> Result<String> {
    let question = question::read(question, form)?;
    let places = question.places();
    let [first, second] = question.operands.map(|digits| limbs(&digits));
    let mut digits = Vec::with_capacity(places + LIMB);
    let mut carry = 0;
    for limb in 0..first.len().max(second.len()) {
        let value = |limbs: &[u64]| limbs.get(limb).copied().unwrap_or(0);
        let sum = value(&first) + value(&second) + carry;
        carry = sum / 10_u64.pow(LIMB as u32);
        digits.extend((0..LIMB as u32).map(|place| sum / 10_u64.pow(place) % 10));
    }
    digits.push(carry);
    digits.resize(places + 1, 0);
    if !form.is_padded && digits.last() == Some(&0) {
        digits.pop();
    }
    form.first.arrange(&mut digits);
    Ok(digits.iter().map(u64::to_string).collect::<Vec<_>>().join(" "))
}

fn limbs(digits: &[u8]) -> Vec<u64> {
    let value = |digits: &[u8]| digits.iter().rev().fold(0, |value, digit| 10 * value + u64::from(*digit));
    digits.chunks(LIMB).map(value).collect()
}
