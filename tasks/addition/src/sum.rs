//! Random sums, and how far their carries go.

use haltbench_sdk::random::Draws;

use crate::settings::Settings;

/// The base of the numbers.
pub const BASE: u8 = 10;

/// The digit sum that hands on a carry.
pub const NINE: u8 = BASE - 1;

/// Two numbers and their sum. All digits are in ascending order of their places; place 0 is the least significant.
pub struct Sum {
    /// Size that it was drawn for.
    pub size: usize,
    /// The digits of both operands as written.
    pub operands: [Vec<u8>; 2],
    /// The digits of the sum as written.
    pub digits: Vec<u8>,
    /// The two digits of every place, added up.
    pub digit_sums: Vec<u8>,
    /// For every place of the digit sums and one more, the number of successive nines among the digit sums right below.
    pub nines: Vec<usize>,
    /// Whether a carry enters the place, for the same places.
    pub carries: Vec<bool>,
}

impl Sum {
    /// Draws a sum of this size.
    pub fn draw(size: usize, settings: &Settings, draws: &mut Draws) -> Self {
        let is_padded = settings.form.is_padded;
        let mut lengths = [size; 2];
        if !is_padded {
            lengths[draws.below(2)] = 1 + draws.below(size);
        }
        let mut operands = lengths.map(Vec::with_capacity);
        for place in 0..size {
            // The first digit of a number of several digits is not 0 without padding.
            let least = lengths.map(|length| u8::from(!is_padded && length > 1 && place + 1 == length));
            let is_nine = draws.uniform() < settings.nine_probability;
            match lengths.map(|length| place < length) {
                [true, true] => {
                    let pair = pair(least, is_nine, draws);
                    operands.iter_mut().zip(pair).for_each(|(operand, digit)| operand.push(digit));
                }
                [is_first, _] => {
                    operands[usize::from(!is_first)].push(single(least[usize::from(!is_first)], is_nine, draws))
                }
            }
        }
        if let Some(length) = settings.length {
            operands.iter_mut().for_each(|operand| operand.resize(length, 0));
        }
        Self::of(size, operands, is_padded)
    }

    /// The sum of two operands.
    pub fn of(size: usize, operands: [Vec<u8>; 2], is_padded: bool) -> Self {
        let places = operands[0].len().max(operands[1].len());
        let digit = |operand: usize, place: usize| operands[operand].get(place).copied().unwrap_or(0);
        let digit_sums: Vec<u8> = (0..places).map(|place| digit(0, place) + digit(1, place)).collect();
        let (mut run, mut carry) = (0, false);
        let (mut nines, mut carries, mut digits) = (vec![0], vec![false], Vec::with_capacity(places + 1));
        for sum in &digit_sums {
            let value = sum + u8::from(carry);
            digits.push(value % BASE);
            carry = value >= BASE;
            run = if *sum == NINE { run + 1 } else { 0 };
            nines.push(run);
            carries.push(carry);
        }
        if is_padded || carry {
            digits.push(u8::from(carry));
        }
        Self { size, operands, digits, digit_sums, nines, carries }
    }

    /// Places below `place` whose digit sums decide whether a carry enters it: those of the nines right below, and the
    /// one before them.
    pub fn lookback(&self, place: usize) -> usize {
        (self.nines[place] + 1).min(place)
    }

    /// Places from where the carry that enters `place` begins; 0 without a carry.
    pub fn chain(&self, place: usize) -> usize {
        if self.carries[place] { self.nines[place] + 1 } else { 0 }
    }
}

/// Two digits from `least` on, which add up to nine or not, all pairs equally likely.
fn pair(least: [u8; 2], is_nine: bool, draws: &mut Draws) -> [u8; 2] {
    let mut digit = |least: u8| least + draws.below(usize::from(BASE - least)) as u8;
    if is_nine {
        // The second digit is what is missing, at least its own least.
        let first = least[0] + draws.below(usize::from(BASE - least[0] - least[1])) as u8;
        return [first, NINE - first];
    }
    loop {
        let pair = least.map(&mut digit);
        if pair[0] + pair[1] != NINE {
            return pair;
        }
    }
}

/// A digit from `least` on, nine or not, all others equally likely.
fn single(least: u8, is_nine: bool, draws: &mut Draws) -> u8 {
    if is_nine { NINE } else { least + draws.below(usize::from(NINE - least)) as u8 }
}
