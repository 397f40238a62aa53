//! The parameters, validated together.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::{SizeKnob, sizes};

/// Name of the task.
pub const NAME: &str = "hops";

/// Most letters that a string of any configuration may have.
const LIMIT: i64 = 4096;

/// Fewest different starts of strings, all equally likely, that are split between training and evaluation.
const STARTS: usize = 500;

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer("alphabet", 4, (3, 26), "Letters of the alphabet."),
    ParameterSpec::integer("maximum_hops", 8, (1, 1024), "Most hops that are asked for, K."),
    ParameterSpec::choice(
        "hops",
        "printed",
        &["printed", "fixed"],
        "Whether the number of hops k is uniform from 0 to K and printed after `<bos>`, or K in every sequence and not \
         printed.",
    ),
    ParameterSpec::choice(
        "answers",
        "every",
        &["every", "last"],
        "Whether every letter of a string has an answer, or the last one alone.",
    ),
    ParameterSpec::integer("minimum_letters", 10, (1, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_letters", 32, (1, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_letters",
        128,
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
        "Whether `<pad>` tokens before the string make all sequences as long as that of `largest_letters` letters.",
    ),
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of letters of the alphabet.
    pub alphabet: usize,
    /// Most hops.
    pub maximum_hops: usize,
    /// Whether the number of hops is drawn and printed.
    pub is_printed: bool,
    /// Whether every letter has an answer.
    pub is_every_answered: bool,
    /// Number of first letters that name the problem of a string whose letters all have answers.
    pub start: usize,
    /// Sizes: the number of letters.
    pub knob: SizeKnob,
    /// Letters and pads of every sequence, if all have as many.
    pub length: Option<usize>,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`](haltbench_sdk::Error::Invalid), naming the invalid parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let alphabet = parameters.integer("alphabet")?;
        let start = start(alphabet);
        let knob = sizes::knob(NAME, "letters", start as u32, parameters)?;
        Ok(Self {
            alphabet,
            maximum_hops: parameters.integer("maximum_hops")?,
            is_printed: parameters.text("hops")? == "printed",
            is_every_answered: parameters.text("answers")? == "every",
            start,
            length: parameters.flag("equal_length")?.then_some(knob.maximum as usize),
            knob,
        })
    }

    /// Places before the string and its pads.
    pub fn before(&self) -> usize {
        1 + usize::from(self.is_printed)
    }
}

/// The fewest letters of which there are at least [`STARTS`] strings.
fn start(alphabet: usize) -> usize {
    let (mut length, mut strings) = (1, alphabet);
    while strings < STARTS {
        // Any letter but the one before.
        strings *= alphabet - 1;
        length += 1;
    }
    length
}
