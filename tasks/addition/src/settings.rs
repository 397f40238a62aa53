//! The parameters, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::{SizeKnob, sizes};
use haltbench_sdk::{Error, Result};

/// Name of the task.
pub const NAME: &str = "addition";

/// Most digits that a configuration may have.
const LIMIT: i64 = 4096;

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::choice(
        "first_digit",
        "most",
        &["most", "least"],
        "Which digit of every number is written first, the most or the least significant one.",
    ),
    ParameterSpec::flag(
        "zero_padding",
        true,
        "Whether zeros fill up numbers: both operands have N digits and the sum N + 1. Otherwise the longer operand has \
         N digits, the other 1 to N, and the sum as many as it needs, with `<eos>` after it.",
    ),
    ParameterSpec::real(
        "nine_probability",
        0.1,
        (0.0, 1.0),
        "Probability that the two digits of a place add up to 9, where a carry from below goes on; 0.1 for uniform \
         numbers.",
    ),
    ParameterSpec::integer("minimum_digits", 1, (1, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_digits", 8, (1, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_digits",
        32,
        (1, LIMIT),
        "Largest size N that can be asked for; sizes beyond training are 5/4, 3/2, 2 and 4 times its largest, up to \
         this.",
    ),
    ParameterSpec::text(
        "skip",
        "",
        "Sizes strictly inside the training range that training never sees, separated by commas.",
    ),
    ParameterSpec::flag(
        "equal_length",
        false,
        "Whether zeros fill up operands to `largest_digits` digits instead of N, so that all sequences are equally \
         long.",
    ),
];

/// Which digit of a number is written first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The most significant one.
    Most,
    /// The least significant one.
    Least,
}

impl First {
    /// Puts digits that begin with the least significant one into this order, or back.
    pub fn arrange<T>(self, digits: &mut [T]) {
        if self == Self::Most {
            digits.reverse();
        }
    }
}

/// How numbers are written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// The order of digits.
    pub first: First,
    /// Whether zeros fill up numbers.
    pub is_padded: bool,
}

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How numbers are written.
    pub form: Form,
    /// Probability that the digits of a place add up to 9.
    pub nine_probability: f64,
    /// Sizes: the number of digits.
    pub knob: SizeKnob,
    /// Digits of every operand, if all have as many.
    pub length: Option<usize>,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let first = if parameters.text("first_digit")? == "least" { First::Least } else { First::Most };
        let is_padded = parameters.flag("zero_padding")?;
        let is_equal = parameters.flag("equal_length")?;
        if is_equal && !is_padded {
            let operand = format!("parameter `equal_length` of {NAME}");
            return Err(Error::invalid(
                operand,
                "false without zero_padding, because zeros make lengths equal",
                is_equal,
            ));
        }
        let knob = sizes::knob(NAME, "digits", 1, parameters)?;
        let length = is_equal.then_some(knob.maximum as usize);
        let form = Form { first, is_padded };
        Ok(Self { form, nine_probability: parameters.real("nine_probability")?, knob, length })
    }
}
