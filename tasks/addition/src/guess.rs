//! Guesses that follow no chain of carries.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::Guess;

use crate::question;
use crate::settings::Form;
use crate::sum::BASE;

/// Adds every place with carries from a limited distance.
pub struct ShortCarries {
    /// How numbers are written.
    pub form: Form,
    /// Whether a place is given the carry of the next lower one, as if nothing entered that.
    pub is_next_seen: bool,
    /// Token of the digit 0, followed by the other digits.
    pub zero: u32,
    /// Token after the last digit of a number without padding.
    pub end: u32,
}

impl Guess for ShortCarries {
    fn name(&self) -> &'static str {
        if self.is_next_seen { "next-carry" } else { "no-carry" }
    }

    fn documentation(&self) -> &'static str {
        match self.is_next_seen {
            true => {
                "Every digit with the carry that the next lower place makes alone: right unless a carry comes from \
                 farther below."
            }
            false => "Every digit without any carry.",
        }
    }

    fn tokens(&self, instance: &Instance, _: &mut Stream) -> Vec<u32> {
        // Questions of instances always parse.
        let operands = question::read(&instance.question, self.form).map(|found| found.operands).unwrap_or_default();
        let places = operands[0].len().max(operands[1].len());
        let digit_sum = |place: usize| operands.iter().filter_map(|operand| operand.get(place)).sum::<u8>();
        let digit = |place: usize| {
            let carry = self.is_next_seen && place > 0 && digit_sum(place - 1) >= BASE;
            (digit_sum(place) + u8::from(carry)) % BASE
        };
        let mut digits: Vec<u8> = (0..=places).map(digit).collect();
        if !self.form.is_padded && digits.last() == Some(&0) {
            digits.pop();
        }
        self.form.first.arrange(&mut digits);
        let tokens = digits.iter().map(|digit| self.zero + u32::from(*digit)).chain(std::iter::repeat(self.end));
        tokens.take(instance.answers().count()).collect()
    }
}
