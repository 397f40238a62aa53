//! Parameters of the nodes: how many there are, and what they are called.

use super::names::{MOST, Names};
use crate::error::{Error, Result};
use crate::parameters::{ParameterSpec, Parameters};
use crate::random::{Draws, Stream};
use crate::task::SizeKnob;
use crate::task::sizes::skipped;

/// Smallest number of nodes.
const SMALLEST: u32 = 3;

/// The most nodes that any configuration may ask for.
const LIMIT: i64 = 1024;

/// Sizes beyond training in quarters of the largest training size.
const QUARTERS_BEYOND: [u32; 3] = [5, 6, 8];

/// Default number of letters for names of several tokens.
const LETTERS: u32 = 4;

/// Smallest training size.
pub const MINIMUM_NODES: ParameterSpec =
    ParameterSpec::integer("minimum_nodes", 3, (SMALLEST as i64, LIMIT), "Smallest training size N.");
/// Largest training size.
pub const MAXIMUM_NODES: ParameterSpec =
    ParameterSpec::integer("maximum_nodes", 30, (SMALLEST as i64, LIMIT), "Largest training size N.");
/// Largest size of all.
pub const LARGEST_NODES: ParameterSpec = ParameterSpec::integer(
    "largest_nodes",
    0,
    (0, LIMIT),
    "Largest size N that can be asked for; 0 for twice maximum_nodes, or maximum_nodes without a spare \
     vocabulary. Sizes beyond training are 5/4, 3/2 and 2 times its largest, up to this.",
);
/// Sizes between the training sizes.
pub const SKIP: ParameterSpec = ParameterSpec::text(
    "skip",
    "",
    "Sizes strictly inside the training range that training never sees, separated by commas.",
);
/// How often each training size is drawn.
pub const SIZE_LAW: ParameterSpec = ParameterSpec::choice(
    "size_law",
    "uniform",
    &["uniform", "released"],
    "Training sizes: all equally likely, or with a probability proportional to 1/(n + √N) for n nodes, where N is the \
     largest, as in the released program.",
);
/// Whether names suffice for unseen sizes.
pub const SPARE_VOCABULARY: ParameterSpec = ParameterSpec::flag(
    "spare_vocabulary",
    true,
    "Whether there are at least twice as many names as nodes at the largest training size, so that no embedding \
     is untrained at unseen sizes.",
);
/// Numbers that names are made of.
pub const VOCABULARY: ParameterSpec = ParameterSpec::integer(
    "vocabulary",
    0,
    (0, 4096),
    "Names are drawn from the numbers up to this, or made of them if longest_name is above 1; 0 for as few as \
     the sizes need, or 4 if longest_name is above 1.",
);
/// Fewest tokens of a name.
pub const SHORTEST_NAME: ParameterSpec = ParameterSpec::integer("shortest_name", 1, (1, 8), "Fewest tokens of a name.");
/// Most tokens of a name.
pub const LONGEST_NAME: ParameterSpec = ParameterSpec::integer("longest_name", 1, (1, 8), "Most tokens of a name.");

/// The parameters of this file, checked together.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Sizes: the number of nodes.
    pub knob: SizeKnob,
    /// Names of nodes.
    pub names: Names,
    /// Whether training sizes follow the released law.
    is_released: bool,
}

impl NodeSettings {
    /// Reads the parameters of the task `owner`; tokens of names start at `first_name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the parameter that does not fit.
    pub fn new(owner: &str, parameters: &Parameters, first_name: u32) -> Result<Self> {
        let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
        let (minimum, maximum) = (whole("minimum_nodes")?, whole("maximum_nodes")?);
        at_least(owner, "maximum_nodes", maximum, minimum, "minimum_nodes")?;
        let spare = parameters.flag("spare_vocabulary")?;
        let largest = match whole("largest_nodes")? {
            0 if spare => (2 * maximum).min(LIMIT as u32),
            0 => maximum,
            largest => largest,
        };
        at_least(owner, "largest_nodes", largest, maximum, "maximum_nodes")?;
        let between = skipped(operand(owner, "skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = QUARTERS_BEYOND.iter().map(|quarters| (quarters * maximum).div_ceil(4));
        let beyond = beyond.filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "N", minimum: SMALLEST, maximum: largest, training, between, beyond };
        let is_released = parameters.text("size_law")? == "released";
        let wanted = if spare { largest.max(2 * maximum) } else { largest };
        Ok(Self { knob, names: names(owner, parameters, wanted, first_name)?, is_released })
    }

    /// Draws a training size: a number of nodes.
    pub fn training_size(&self, stream: &mut Stream) -> u32 {
        let largest = self.knob.training.last().copied().unwrap_or(SMALLEST);
        if !self.is_released {
            return *stream.choose(&self.knob.training);
        }
        let mut draws = Draws::new(stream);
        loop {
            let size = released_size(largest as usize, &mut draws) as u32;
            if self.knob.training.binary_search(&size).is_ok() {
                return size;
            }
        }
    }
}

/// At least `wanted` names; their tokens start at `first`.
fn names(owner: &str, parameters: &Parameters, wanted: u32, first: u32) -> Result<Names> {
    let shortest = parameters.integer("shortest_name")?;
    let longest = parameters.integer("longest_name")?;
    at_least(owner, "longest_name", longest as u32, shortest as u32, "shortest_name")?;
    let vocabulary = match parameters.integer("vocabulary")? as u32 {
        0 if longest > 1 => LETTERS,
        0 => wanted,
        given => given,
    };
    let count = Names::count(vocabulary, shortest, longest);
    if !(u64::from(wanted)..=MOST).contains(&count) {
        let expected = format!("enough for {wanted} to {MOST} names of {shortest} to {longest} tokens");
        let found = format!("{vocabulary}, which makes {count}");
        return Err(Error::invalid(operand(owner, "vocabulary"), expected, found));
    }
    Ok(Names::new(vocabulary, shortest, longest, first))
}

fn operand(owner: &str, name: &str) -> String {
    format!("parameter `{name}` of {owner}")
}

fn at_least(owner: &str, name: &str, value: u32, bound: u32, bound_name: &str) -> Result<()> {
    if value >= bound {
        return Ok(());
    }
    Err(Error::invalid(operand(owner, name), format!("at least {bound_name}, which is {bound}"), value))
}

/// A number of nodes from 3 to `largest` with a probability proportional to 1/(n + √largest).
fn released_size(largest: usize, draws: &mut Draws) -> usize {
    let offset = (largest as f64).sqrt();
    // The smallest size is the likeliest; others are rejected as often as they are less likely.
    loop {
        let size = 3 + draws.below(largest - 2);
        if draws.uniform() * (size as f64 + offset) < 3.0 + offset {
            return size;
        }
    }
}
