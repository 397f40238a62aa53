//! The columns from their definitions, by searching for what would change a digit.

use haltbench_sdk::task::Instance;

use super::{addition, column, configured, draw, equally_long};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Task;

/// The operands of a question, least significant digit first.
fn operands(instance: &Instance, is_most: bool) -> Vec<Vec<u32>> {
    let numbers = instance.question.split(" + ").map(|number| {
        let mut digits: Vec<u32> = number.split(' ').map(|digit| digit.parse().unwrap()).collect();
        if is_most {
            digits.reverse();
        }
        digits
    });
    numbers.collect()
}

/// Whether a carry leaves the lowest `places` places if places below `known` were all nines or all zeros.
fn carry_is_open(sums: &[u32], known: usize, places: usize) -> bool {
    let carry = |unknown: u32| {
        let digits = (0..places).map(|place| if place < known { unknown } else { sums[place] });
        digits.fold(0, |carry, sum| (sum + carry) / 10)
    };
    carry(0) != carry(18)
}

/// Fewest places below `place` that settle its carry, however those below them are.
fn settled_after(sums: &[u32], place: usize) -> usize {
    (0..=place).find(|count| !carry_is_open(sums, place - count, place)).unwrap()
}

fn agrees(task: &dyn Task, size: u32, is_most: bool, is_padded: bool) {
    for seed in 0..150 {
        let instance = draw(task, size, seed);
        let numbers = operands(&instance, is_most);
        let places = numbers.iter().map(Vec::len).max().unwrap();
        let sums: Vec<u32> =
            (0..places).map(|place| numbers.iter().filter_map(|number| number.get(place)).sum()).collect();
        let answer: Vec<u32> = instance.answer.split(' ').map(|digit| digit.parse().unwrap()).collect();
        let at = |name: &str, token: usize| column(task, &instance, name)[token];
        let start = instance.graded().next().unwrap();
        for token in 0..answer.len() {
            let place = if is_most { answer.len() - 1 - token } else { token };
            let mut lookback = settled_after(&sums, place);
            if !is_padded && token == 0 && answer.len() == places {
                lookback = lookback.max(settled_after(&sums, places));
            }
            let carry = sums[..place].iter().fold(0, |carry, sum| (sum + carry) / 10);
            // The last place below that makes a carry by itself and is followed by nines alone.
            let begins = (0..place).rev().find(|below| sums[*below] != 9).filter(|below| sums[*below] > 9);
            let chain = begins.map_or(0, |below| place - below);
            assert_eq!(carry, u32::from(chain > 0));
            if is_most {
                assert_eq!(at("lookback", start + token), lookback as f32, "{} at {place}", instance.question);
                assert_eq!(at("parallel", start + token), (lookback as f32 + 1.0).log2().ceil());
            } else {
                assert_eq!([at("lookback", start + token), at("parallel", start + token)], [1.0, 1.0]);
            }
            assert_eq!(at("carry", start + token), carry as f32);
            assert_eq!(at("chain", start + token), chain as f32);
            assert_eq!(at("place", start + token), place as f32);
            let own = sums.get(place).copied().unwrap_or(0);
            assert_eq!(at("digit_sum", start + token), own as f32);
            assert_eq!(answer[token], (own + carry) % 10);
            let below = place.checked_sub(1).map_or(0, |place| sums[place]);
            assert_eq!(at("digit_sum_below", start + token), below as f32);
        }
        assert_eq!(at("size", 0), size as f32);
        assert_eq!([at("first_length", 3), at("second_length", 3)], [numbers[0].len() as f32, numbers[1].len() as f32]);
        let end = instance.tokens.len() - 1;
        if !is_padded {
            // The end stands above the highest digit, which has a carry below it only if no digit does.
            let below = if answer.len() > places { 0 } else { sums[places - 1] };
            assert_eq!(at("lookback", end).is_nan(), is_most);
            assert!(at("carry", end).is_nan());
            let known = [answer.len() as f32, 0.0, below as f32];
            assert_eq!(["place", "digit_sum", "digit_sum_below"].map(|name| at(name, end)), known);
        }
    }
}

#[test]
fn columns_are_those_of_the_definitions() {
    for first in ["most", "least"] {
        for is_padded in [true, false] {
            let raised = configured(&[
                ("first_digit", Value::Text(first.into())),
                ("zero_padding", Value::Flag(is_padded)),
                ("nine_probability", Value::Real(0.6)),
            ]);
            for task in [addition(first, is_padded), raised.unwrap()] {
                for size in [1, 2, 3, 7, 13] {
                    agrees(&*task, size, first == "most", is_padded);
                }
            }
        }
        agrees(&*equally_long(first), 5, first == "most", true);
    }
}
