//! The parameters, checked together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::{Error, Result};

use crate::hops::{Encoding, Hops, Law};
use crate::names::{MOST, Names};

/// Name of the task.
pub const NAME: &str = "depo";

/// Smallest number of nodes.
const SMALLEST: u32 = 3;

/// The most nodes that any configuration may ask for.
const LIMIT: i64 = 1024;

/// Sizes beyond training in quarters of the largest training size.
const QUARTERS_BEYOND: [u32; 3] = [5, 6, 8];

/// Letters of names of several tokens when nothing is said.
const LETTERS: u32 = 4;

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer("minimum_nodes", 3, (SMALLEST as i64, LIMIT), "Smallest training size N."),
    ParameterSpec::integer("maximum_nodes", 30, (SMALLEST as i64, LIMIT), "Largest training size N."),
    ParameterSpec::integer(
        "largest_nodes",
        0,
        (0, LIMIT),
        "Largest size N that can be asked for; 0 for twice maximum_nodes, or maximum_nodes without a spare \
         vocabulary. Sizes beyond training are 5/4, 3/2 and 2 times its largest, up to this.",
    ),
    ParameterSpec::text(
        "skip",
        "",
        "Sizes strictly inside the training range that training never sees, separated by commas.",
    ),
    ParameterSpec::choice(
        "size_law",
        "exact",
        &["exact", "released"],
        "Nodes of an instance of size N: `exact` for N, `released` for n from 3 to N with a probability proportional \
         to 1/(n + √N).",
    ),
    ParameterSpec::integer("maximum_hops", 8, (1, 1024), "Most hops that are asked for, K."),
    ParameterSpec::choice(
        "hop_law",
        "uniform",
        &["uniform", "powers", "largest"],
        "Hops of a question: uniform from 1 to K, a power of two up to K or K itself, as the released program tests, or \
         always K.",
    ),
    ParameterSpec::choice(
        "hop_encoding",
        "token",
        &["token", "unary", "digits"],
        "Tokens that tell the hops: one for every number, as many as there are hops, or decimal digits. Only the last \
         two can tell more hops than training has seen.",
    ),
    ParameterSpec::integer(
        "queries",
        10,
        (1, 1024),
        "Questions in a sequence, with different starts: as many or one for every node, whichever is less.",
    ),
    ParameterSpec::flag(
        "spare_vocabulary",
        true,
        "Whether there are at least twice as many names as nodes at the largest training size, so that no embedding \
         is untrained at unseen sizes.",
    ),
    ParameterSpec::integer(
        "vocabulary",
        0,
        (0, 4096),
        "Names are drawn from the numbers up to this, or made of them if longest_name is above 1; 0 for as few as \
         the sizes need, or 4 if longest_name is above 1.",
    ),
    ParameterSpec::integer("shortest_name", 1, (1, 8), "Fewest tokens of a name."),
    ParameterSpec::integer("longest_name", 1, (1, 8), "Most tokens of a name."),
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sizes: the number of nodes.
    pub knob: SizeKnob,
    /// Names of nodes.
    pub names: Names,
    /// Whether the number of nodes of an instance is drawn.
    pub draws_size: bool,
    /// Numbers of hops.
    pub hops: Hops,
    /// Most questions in a sequence.
    pub queries: usize,
}

impl Settings {
    /// Reads the parameters; before the tokens of hops and names there are `markers` others.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the parameter that does not fit.
    pub fn new(parameters: &Parameters, markers: u32) -> Result<Self> {
        let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
        let (minimum, maximum) = (whole("minimum_nodes")?, whole("maximum_nodes")?);
        at_least("maximum_nodes", maximum, minimum, "minimum_nodes")?;
        let spare = parameters.flag("spare_vocabulary")?;
        let largest = match whole("largest_nodes")? {
            0 if spare => (2 * maximum).min(LIMIT as u32),
            0 => maximum,
            largest => largest,
        };
        at_least("largest_nodes", largest, maximum, "maximum_nodes")?;
        let between = skipped(parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = QUARTERS_BEYOND.iter().map(|quarters| (quarters * maximum).div_ceil(4));
        let beyond = beyond.filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "N", minimum: SMALLEST, maximum: largest, training, between, beyond };
        let encoding = match parameters.text("hop_encoding")? {
            "unary" => Encoding::Unary,
            "digits" => Encoding::Digits,
            _ => Encoding::Token,
        };
        let law = match parameters.text("hop_law")? {
            "powers" => Law::Powers,
            "largest" => Law::Largest,
            _ => Law::Uniform,
        };
        let hops = Hops::new(encoding, law, whole("maximum_hops")?);
        let queries = parameters.integer("queries")?;
        let draws_size = parameters.text("size_law")? == "released";
        let names = names(
            parameters,
            if spare { largest.max(2 * maximum) } else { largest },
            markers + hops.words().len() as u32,
        )?;
        Ok(Self { knob, names, draws_size, hops, queries })
    }
}

/// At least `wanted` names; their tokens start at `first`.
fn names(parameters: &Parameters, wanted: u32, first: u32) -> Result<Names> {
    let shortest = parameters.integer("shortest_name")?;
    let longest = parameters.integer("longest_name")?;
    at_least("longest_name", longest as u32, shortest as u32, "shortest_name")?;
    let vocabulary = match parameters.integer("vocabulary")? as u32 {
        0 if longest > 1 => LETTERS,
        0 => wanted,
        given => given,
    };
    let count = Names::count(vocabulary, shortest, longest);
    if !(u64::from(wanted)..=MOST).contains(&count) {
        let expected = format!("enough for {wanted} to {MOST} names of {shortest} to {longest} tokens");
        return Err(Error::invalid(operand("vocabulary"), expected, format!("{vocabulary}, which makes {count}")));
    }
    Ok(Names::new(vocabulary, shortest, longest, first))
}

fn operand(name: &str) -> String {
    format!("parameter `{name}` of {NAME}")
}

fn at_least(name: &str, value: u32, bound: u32, bound_name: &str) -> Result<()> {
    if value >= bound {
        return Ok(());
    }
    Err(Error::invalid(operand(name), format!("at least {bound_name}, which is {bound}"), value))
}

/// The sizes listed in `text`, ascending.
fn skipped(text: &str, minimum: u32, maximum: u32) -> Result<Vec<u32>> {
    let mut sizes = Vec::new();
    let words = text.split(',').map(str::trim);
    for word in words.filter(|_| !text.trim().is_empty()) {
        // The ends of the range are not between training sizes.
        let size = word.parse().ok().filter(|size| (minimum + 1..maximum).contains(size));
        match size {
            Some(size) if !sizes.contains(&size) => sizes.push(size),
            _ => {
                let expected = format!("distinct sizes strictly between {minimum} and {maximum}, separated by commas");
                return Err(Error::invalid(operand("skip"), expected, format!("`{word}`")));
            }
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}
