//! Parameters that all tasks of this crate share, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::task::sizes::skipped;
use haltbench_sdk::{Error, Result};

use crate::elements::Elements;

/// Distances of evaluation sizes beyond the training range.
const STEPS_BEYOND: [u32; 5] = [1, 2, 4, 8, 16];

/// The largest length that a configuration may have.
const LIMIT: i64 = 512;

/// The parameters.
pub const PARAMETERS: [ParameterSpec; 6] = [
    ParameterSpec::integer("alphabet", 32, (2, 1024), "Number of different elements that lists are made of."),
    ParameterSpec::integer("minimum_length", 4, (1, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_length", 16, (1, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_length",
        32,
        (1, LIMIT),
        "Largest size N that can be asked for; sizes beyond training are 1, 2, 4, 8 and 16 above its largest, up to \
         this.",
    ),
    ParameterSpec::text(
        "skip",
        "",
        "Sizes strictly inside the training range that training never sees, separated by commas.",
    ),
    ParameterSpec::integer(
        "window",
        0,
        (0, 4 * LIMIT),
        "Elements of every sequence, those of filler, list and answer together, so that all sequences are of one length; \
         at least twice largest_length. 0 for sequences without filler, which are as long as their lists make them.",
    ),
];

/// What the tasks of this crate have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The elements of lists.
    pub elements: Elements,
    /// Sizes: the length of the list.
    pub knob: SizeKnob,
    /// Elements of every sequence; `None` without filler.
    pub window: Option<usize>,
}

impl Settings {
    /// Reads the parameters of the task `owner`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(owner: &str, parameters: &Parameters) -> Result<Self> {
        let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
        let operand = |name: &str| format!("parameter `{name}` of {owner}");
        let minimum = whole("minimum_length")?;
        let maximum = whole("maximum_length")?;
        let largest = whole("largest_length")?;
        if maximum < minimum {
            let expected = format!("at least minimum_length, which is {minimum}");
            return Err(Error::invalid(operand("maximum_length"), expected, maximum));
        }
        if largest < maximum {
            let expected = format!("at least maximum_length, which is {maximum}");
            return Err(Error::invalid(operand("largest_length"), expected, largest));
        }
        let window = match whole("window")? {
            0 => None,
            window if window >= 2 * largest => Some(window as usize),
            window => {
                let expected = format!("0 or at least {}, twice the largest length", 2 * largest);
                return Err(Error::invalid(operand("window"), expected, window));
            }
        };
        let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = STEPS_BEYOND.iter().map(|step| maximum + step).filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "N", minimum: 1, maximum: largest, training, between, beyond };
        Ok(Self { elements: Elements { count: whole("alphabet")? }, knob, window })
    }
}
