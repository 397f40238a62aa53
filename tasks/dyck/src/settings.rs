//! The parameters, validated together.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::{SizeKnob, sizes};

use crate::law::{Law, Weights};
use crate::start::Start;

/// Name of the task.
pub const NAME: &str = "dyck";

/// Most pairs that a configuration may have.
const LIMIT: i64 = 2048;

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer(
        "kinds",
        1,
        (1, 128),
        "Kinds of brackets. With 1, every bracket is answered by the depth after it, with more, every closing bracket \
         by its kind.",
    ),
    ParameterSpec::integer("maximum_depth", 8, (2, 128), "Most brackets that are open at the same time."),
    ParameterSpec::choice(
        "law",
        "uniform",
        &["uniform", "walk"],
        "Whether all words of a size are equally likely, or as likely as a walk that opens or closes with equal \
         probability where it may do both.",
    ),
    ParameterSpec::integer("minimum_pairs", 12, (1, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_pairs", 32, (1, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_pairs",
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
        "Whether every sequence has as many tokens as one of `largest_pairs` pairs: the brackets at random places, and \
         `.`, which is no bracket, everywhere else.",
    ),
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Kinds of brackets.
    pub kinds: usize,
    /// The distribution of words.
    pub law: Law,
    /// Sizes: the number of pairs.
    pub knob: SizeKnob,
    /// Brackets that name the problem of a word.
    pub start: usize,
    /// Tokens of every word, if all have as many.
    pub length: Option<usize>,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`](haltbench_sdk::Error::Invalid), naming the invalid parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let kinds = parameters.integer("kinds")?;
        let largest = parameters.integer("largest_pairs")?;
        let weights = if parameters.text("law")? == "walk" { Weights::Walk } else { Weights::Uniform };
        let law = Law::new(weights, parameters.integer("maximum_depth")?, 2 * largest);
        let start = Start::new(&law, kinds, largest);
        let knob = sizes::knob(NAME, "pairs", start.smallest as u32, parameters)?;
        let length = parameters.flag("equal_length")?.then_some(2 * largest);
        Ok(Self { kinds, law, knob, start: start.brackets, length })
    }
}
