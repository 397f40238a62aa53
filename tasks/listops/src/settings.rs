//! Parameters that both tasks share, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::task::sizes::skipped;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Operator, Operators};
use crate::law::{Law, pick, total};
use crate::sampler::{Measure, Sampler};

/// Distances of evaluation sizes beyond the training range.
const STEPS_BEYOND: [u32; 5] = [1, 2, 3, 5, 10];

/// The largest height that a configuration may have.
const LIMIT: i64 = 20;

/// The parameters of both tasks.
pub const PARAMETERS: [ParameterSpec; 10] = [
    ParameterSpec::text(
        "operators",
        "MIN MAX MED SM",
        "The operators of expressions, separated by spaces: distinct ones out of MIN MAX MED SM, each equally likely.",
    ),
    ParameterSpec::real(
        "operator_probability",
        0.3,
        (0.05, 0.95),
        "Probability that an argument is an operator rather than a digit, before heights and lengths are chosen: 0.3 in \
         NDR, 0.25 in Long Range Arena.",
    ),
    ParameterSpec::integer(
        "maximum_arguments",
        5,
        (2, 10),
        "Most arguments of an operator; every number from 2 on is equally likely: 5 in NDR, 10 in Long Range Arena.",
    ),
    ParameterSpec::integer("minimum_length", 1, (1, 2000), "Fewest tokens of an expression: 500 in Long Range Arena."),
    ParameterSpec::integer(
        "maximum_length",
        50,
        (4, 2000),
        "Most tokens of an expression: 2000 in Long Range Arena. With minimum_length equal to it, all sizes have \
         expressions of the same length.",
    ),
    ParameterSpec::integer("minimum_depth", 1, (1, LIMIT), "Smallest training size."),
    ParameterSpec::integer("maximum_depth", 5, (1, LIMIT), "Largest training size."),
    ParameterSpec::integer(
        "largest_depth",
        8,
        (1, LIMIT),
        "Largest size that can be asked for, and largest height of an expression; sizes beyond training are 1, 2, 3, 5 and 10 above its largest, up to this.",
    ),
    ParameterSpec::text(
        "skip",
        "",
        "Sizes strictly inside the training range that training never sees, separated by commas.",
    ),
    ParameterSpec::choice(
        "size_law",
        "uniform",
        &["uniform", "sampler"],
        "Training sizes: all equally likely, or, if they are heights, as likely as the sampler's expressions of these \
         lengths have them.",
    ),
];

/// A configured family: the sizes of its expressions and their law.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sizes: the height or the dependency depth.
    pub knob: SizeKnob,
    /// The law of expressions.
    pub sampler: Sampler,
    /// Whether training sizes follow the law of expressions.
    is_sampled: bool,
}

impl Settings {
    /// Reads the parameters of the task `owner`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(owner: &str, parameters: &Parameters, measure: Measure) -> Result<Self> {
        let operand = |name: &str| format!("parameter `{name}` of {owner}");
        let ordered = |lower: &str, upper: &str| {
            let bounds = [parameters.integer(lower)?, parameters.integer(upper)?];
            if bounds[0] <= bounds[1] {
                return Ok(bounds);
            }
            Err(Error::invalid(operand(upper), format!("at least {lower}, which is {}", bounds[0]), bounds[1]))
        };
        let operators = operators(operand("operators"), parameters.text("operators")?)?;
        let lengths = ordered("minimum_length", "maximum_length")?;
        let [minimum, maximum] = ordered("minimum_depth", "maximum_depth")?;
        let [_, largest] = ordered("maximum_depth", "largest_depth")?;
        let arguments = parameters.integer("maximum_arguments")?;
        // Every dependency depth occurs in expressions of the largest height.
        let lowest = if measure == Measure::Height { minimum } else { largest };
        fit(operand, lengths, [lowest, largest], arguments)?;
        let law = Law::new(parameters.real("operator_probability")?, arguments, largest, lengths[1]);
        let sampler = Sampler::new(law, lengths, operators, measure);
        let is_possible = |height: &usize| sampler.probability(*height) > 0.0;
        if let Some(height) = (lowest..=largest).find(|height| !is_possible(height)) {
            let [shortest, longest] = lengths;
            let expected =
                format!("one at which expressions of height {height} and {shortest} to {longest} tokens occur");
            let found = parameters.real("operator_probability")?;
            return Err(Error::invalid(operand("operator_probability"), expected, found));
        }
        let (name, smallest) = match measure {
            // Lower heights cannot fill the length.
            Measure::Height => ("H", (1..=minimum).find(is_possible).unwrap_or(minimum) as u32),
            Measure::DependencyDepth => ("D", 1),
        };
        let is_sampled = parameters.text("size_law")? == "sampler";
        if is_sampled && measure == Measure::DependencyDepth {
            return Err(Error::invalid(operand("size_law"), "uniform, unless sizes are heights", "sampler"));
        }
        let [minimum, maximum, largest] = [minimum, maximum, largest].map(|height| height as u32);
        let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = STEPS_BEYOND.iter().map(|step| maximum + step).filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name, minimum: smallest, maximum: largest, training, between, beyond };
        Ok(Self { knob, sampler, is_sampled })
    }

    /// Draws a training size.
    pub fn training_size(&self, stream: &mut Stream) -> u32 {
        if !self.is_sampled {
            return *stream.choose(&self.knob.training);
        }
        let sizes = || self.knob.training.iter().map(|size| (*size, self.sampler.probability(*size as usize)));
        pick(stream, total(sizes()), sizes()).unwrap_or(self.knob.minimum)
    }
}

/// Refuses lengths that expressions of some height from the first to the second cannot have.
fn fit(operand: impl Fn(&str) -> String, lengths: [usize; 2], heights: [usize; 2], arguments: usize) -> Result<()> {
    // Every operator of the chain has its two brackets and a digit.
    let shortest = 3 * heights[1] + 1;
    if lengths[1] < shortest {
        let expected = format!("at least {shortest}, the tokens of the shortest expression of height {}", heights[1]);
        return Err(Error::invalid(operand("maximum_length"), expected, lengths[1]));
    }
    // Every argument of every operator is as large as it can be.
    let longest = (0..heights[0]).fold(1_usize, |longest, _| longest.saturating_mul(arguments).saturating_add(2));
    if lengths[0] > longest {
        let expected = format!(
            "at most {longest}, the tokens of the longest expression of height {} with up to {arguments} arguments",
            heights[0]
        );
        return Err(Error::invalid(operand("minimum_length"), expected, lengths[0]));
    }
    Ok(())
}

/// The operators named by `text`, in vocabulary order, so that equal sets give equal tasks.
fn operators(operand: String, text: &str) -> Result<Operators> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let named: Vec<Operator> = Operator::ALL.into_iter().filter(|operator| words.contains(&operator.name())).collect();
    if named.is_empty() || named.len() != words.len() {
        let expected = "one or more distinct operators out of MIN MAX MED SM, separated by spaces";
        return Err(Error::invalid(operand, expected, format!("`{text}`")));
    }
    Ok(Operators(named))
}
