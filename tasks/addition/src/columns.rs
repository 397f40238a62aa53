//! The per-token columns: their declarations and values.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::settings::First;
use crate::sum::Sum;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 2] = [
    ComplexitySpec {
        name: "lookback",
        documentation: "Places below this digit that decide the carry into it, from the next lower one to the first that \
                        does not add up to 9; 1 everywhere if the least significant digit is first, because the digit \
                        printed before tells the carry; at digits of the sum.",
    },
    ComplexitySpec {
        name: "parallel",
        documentation: "Rounds of a carry lookahead over these places, ceil(log2(lookback + 1)); at the same tokens.",
    },
];

/// The features.
pub const FEATURES: [FeatureSpec; 10] = [
    FeatureSpec {
        name: "size",
        kind: FeatureKind::Static,
        documentation: "Digits of the longer operand without zeros that make lengths equal, N.",
    },
    FeatureSpec { name: "first_length", kind: FeatureKind::Static, documentation: "Digits of the first operand." },
    FeatureSpec { name: "second_length", kind: FeatureKind::Static, documentation: "Digits of the second operand." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "place",
        kind: FeatureKind::Static,
        documentation: "Power of ten that the digit counts, 0 for the least significant; `<eos>` is above the highest; at \
                        answers.",
    },
    FeatureSpec {
        name: "digit_sum",
        kind: FeatureKind::Static,
        documentation: "Sum of the operands' digits at the same place; at answers.",
    },
    FeatureSpec {
        name: "digit_sum_below",
        kind: FeatureKind::Static,
        documentation: "Sum of the operands' digits at the next lower place, 0 at the lowest; at answers.",
    },
    FeatureSpec {
        name: "carry",
        kind: FeatureKind::State,
        documentation: "1 if a carry enters the place, else 0; at digits of the sum.",
    },
    FeatureSpec {
        name: "nines",
        kind: FeatureKind::State,
        documentation: "Successive places right below whose digits add up to 9; at digits of the sum.",
    },
    FeatureSpec {
        name: "chain",
        kind: FeatureKind::State,
        documentation: "Places from where the carry that enters begins, 0 without a carry; at digits of the sum.",
    },
];

/// Fills the columns of a sequence of `length` tokens whose sum begins at `start`.
pub fn fill(sum: &Sum, first: First, [start, length]: [usize; 2], [complexities, features]: [&mut Columns; 2]) {
    let undefined = f32::NAN;
    let lengths = [sum.operands[0].len(), sum.operands[1].len()].map(|length| length as f32);
    let costs: &mut [[f32; COMPLEXITIES.len()]] = complexities.reset_rows(start..length);
    // With the least significant digit first, the last row belongs to `<eos>`, if there is one.
    costs.fill(if first == First::Least { [1.0; 2] } else { [undefined; 2] });
    let rows: &mut [[f32; FEATURES.len()]] = features.reset_rows(0..length);
    for (token, row) in rows.iter_mut().enumerate() {
        *row = [undefined; FEATURES.len()];
        row[..4].copy_from_slice(&[sum.size as f32, lengths[0], lengths[1], token as f32]);
    }
    let count = sum.digits.len();
    let digit_sum = |place: usize| sum.digit_sums.get(place).copied().map_or(0.0, f32::from);
    for token in 0..length - start {
        let is_end = token == count;
        let place = if first == First::Most && !is_end { count - 1 - token } else { token };
        let below = place.checked_sub(1).map_or(0.0, digit_sum);
        rows[start + token][4..7].copy_from_slice(&[place as f32, digit_sum(place), below]);
        if is_end {
            continue;
        }
        if first == First::Most {
            let lookback = lookback(sum, place) as u32;
            costs[token] = [lookback, u32::BITS - lookback.leading_zeros()].map(|number| number as f32);
        }
        let state = [usize::from(sum.carries[place]), sum.nines[place], sum.chain(place)].map(|number| number as f32);
        rows[start + token][7..].copy_from_slice(&state);
    }
}

/// Lookback of a digit if the most significant one is first. The first digit also says that no digit is above it: the
/// carry that would be that digit has to be known too.
fn lookback(sum: &Sum, place: usize) -> usize {
    let own = sum.lookback(place);
    let is_highest = place + 1 == sum.digits.len() && sum.digits.len() == sum.digit_sums.len();
    if is_highest { own.max(sum.lookback(place + 1)) } else { own }
}
