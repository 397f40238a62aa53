//! Parameters that both tasks share, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::task::sizes::skipped;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Alphabet, Operator};

/// Distances of evaluation sizes beyond the training range.
const STEPS_BEYOND: [u32; 5] = [1, 2, 4, 8, 16];

/// The largest number of operators that a configuration may have.
const LIMIT: i64 = 1024;

/// A configured family: the symbols and the sizes of its expressions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Modulus and operators.
    pub alphabet: Alphabet,
    /// Sizes: the number of operators.
    pub knob: SizeKnob,
}

/// The parameters of both tasks, with the task's own default sizes.
pub const fn parameters(minimum: i64, maximum: i64, largest: i64) -> [ParameterSpec; 6] {
    [
        ParameterSpec::integer("modulus", 23, (2, 1000), "Values are residues modulo this number, prime or not."),
        ParameterSpec::text(
            "operators",
            "+-*",
            "The operators that expressions are made of: distinct characters out of +-*, each equally likely.",
        ),
        ParameterSpec::integer("minimum_operators", minimum, (1, LIMIT), "Smallest training size L."),
        ParameterSpec::integer("maximum_operators", maximum, (1, LIMIT), "Largest training size L."),
        ParameterSpec::integer(
            "largest_operators",
            largest,
            (1, LIMIT),
            "Largest size L that can be asked for; sizes beyond training are 1, 2, 4, 8 and 16 above its largest, up \
             to this.",
        ),
        ParameterSpec::text(
            "skip",
            "",
            "Sizes strictly inside the training range that training never sees, separated by commas.",
        ),
    ]
}

impl Settings {
    /// Reads the parameters of the task `owner`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(owner: &str, parameters: &Parameters) -> Result<Self> {
        let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
        let operand = |name: &str| format!("parameter `{name}` of {owner}");
        let operators = operators(operand("operators"), parameters.text("operators")?)?;
        let alphabet = Alphabet { modulus: whole("modulus")?, operators };
        let minimum = whole("minimum_operators")?;
        let maximum = whole("maximum_operators")?;
        let largest = whole("largest_operators")?;
        if maximum < minimum {
            let expected = format!("at least minimum_operators, which is {minimum}");
            return Err(Error::invalid(operand("maximum_operators"), expected, maximum));
        }
        if largest < maximum {
            let expected = format!("at least maximum_operators, which is {maximum}");
            return Err(Error::invalid(operand("largest_operators"), expected, largest));
        }
        let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = STEPS_BEYOND.iter().map(|step| maximum + step).filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "L", minimum: 1, maximum: largest, training, between, beyond };
        Ok(Self { alphabet, knob })
    }
}

/// The operators named by `text`, in vocabulary order, so that equal sets give equal tasks.
fn operators(operand: String, text: &str) -> Result<Vec<Operator>> {
    let chosen: Vec<Operator> = Operator::ALL.into_iter().filter(|operator| text.contains(operator.word())).collect();
    if chosen.is_empty() || chosen.len() != text.chars().count() {
        let expected = "one or more distinct characters out of `+-*`";
        return Err(Error::invalid(operand, expected, format!("`{text}`")));
    }
    Ok(chosen)
}
