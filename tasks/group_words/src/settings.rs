//! The parameters, validated together.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::{SizeKnob, sizes};

use crate::group::{Group, Kind};
use crate::word::START;

/// Name of the task.
pub const NAME: &str = "group-words";

/// Most elements that a configuration may have.
const LIMIT: i64 = 4096;

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::choice(
        "group",
        "a5",
        &Kind::NAMES,
        "The group: z60 is commutative, a4xz5 solvable, a5 not solvable, all of order 60; s5 has order 120.",
    ),
    ParameterSpec::integer("minimum_elements", START as i64, (1, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_elements", 16, (1, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_elements",
        64,
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
        "Whether every sequence has `largest_elements` elements: N others than the identity at random places, and the \
         identity everywhere else.",
    ),
];

/// A configured task.
pub struct Settings {
    /// The group.
    pub group: Group,
    /// Sizes: the number of elements.
    pub knob: SizeKnob,
    /// Elements of every sequence, if all have as many.
    pub length: Option<usize>,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`](haltbench_sdk::Error::Invalid), naming the invalid parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let name = parameters.text("group")?;
        let kinds = Kind::ALL.into_iter().zip(Kind::NAMES);
        let kind = kinds.filter(|(_, known)| *known == name).map(|(kind, _)| kind).next().unwrap_or(Kind::A5);
        let knob = sizes::knob(NAME, "elements", START as u32, parameters)?;
        let length = parameters.flag("equal_length")?.then_some(knob.maximum as usize);
        Ok(Self { group: Group::new(kind), knob, length })
    }
}
