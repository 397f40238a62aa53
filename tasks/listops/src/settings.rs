//! Parameters that both tasks share, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::{Error, Result};

use crate::alphabet::{Operator, Operators};
use crate::law::{Law, pick, total};
use crate::tree::Tree;

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
    ParameterSpec::integer("minimum_height", 1, (1, LIMIT), "Smallest training size H."),
    ParameterSpec::integer("maximum_height", 5, (1, LIMIT), "Largest training size H."),
    ParameterSpec::integer(
        "largest_height",
        8,
        (1, LIMIT),
        "Largest size H that can be asked for; sizes beyond training are 1, 2, 3, 5 and 10 above its largest, up to this.",
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
        "Training sizes: all equally likely, or as likely as the sampler's expressions of these lengths have them.",
    ),
];

/// A configured family: the symbols, heights and lengths of its expressions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The operators in use.
    pub operators: Operators,
    /// Sizes: the height.
    pub knob: SizeKnob,
    /// Fewest and most tokens of an expression.
    lengths: [usize; 2],
    law: Law,
    /// Whether training sizes follow the law of expressions.
    is_sampled: bool,
}

impl Settings {
    /// Reads the parameters of the task `owner`.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(owner: &str, parameters: &Parameters) -> Result<Self> {
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
        let [minimum, maximum] = ordered("minimum_height", "maximum_height")?;
        let [_, largest] = ordered("maximum_height", "largest_height")?;
        let arguments = parameters.integer("maximum_arguments")?;
        fit(operand, lengths, [minimum, largest], arguments)?;
        let law = Law::new(parameters.real("operator_probability")?, arguments, largest, lengths[1]);
        let probability = |height: usize| (lengths[0]..=lengths[1]).map(|tokens| law.probability(height, tokens)).sum();
        let is_possible = |height: &usize| -> bool { f64::is_normal(probability(*height)) };
        if let Some(height) = (minimum..=largest).find(|height| !is_possible(height)) {
            let expected = format!(
                "one at which expressions of height {height} and {} to {} tokens occur",
                lengths[0], lengths[1]
            );
            return Err(Error::invalid(
                operand("operator_probability"),
                expected,
                parameters.real("operator_probability")?,
            ));
        }
        // Lower heights cannot fill the length.
        let smallest = (1..=minimum).find(is_possible).unwrap_or(minimum) as u32;
        let [minimum, maximum, largest] = [minimum, maximum, largest].map(|height| height as u32);
        let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = STEPS_BEYOND.iter().map(|step| maximum + step).filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "H", minimum: smallest, maximum: largest, training, between, beyond };
        let is_sampled = parameters.text("size_law")? == "sampler";
        Ok(Self { operators, knob, lengths, law, is_sampled })
    }

    /// Draws an expression of a height that the knob has.
    pub fn draw(&self, size: u32, stream: &mut Stream) -> Tree {
        Tree::grow(size as usize, self.lengths, &self.law, &self.operators, stream)
    }

    /// Draws a training size.
    pub fn training_size(&self, stream: &mut Stream) -> u32 {
        let [shortest, longest] = self.lengths;
        let probability =
            |size: u32| (shortest..=longest).map(|tokens| self.law.probability(size as usize, tokens)).sum::<f64>();
        if !self.is_sampled {
            return *stream.choose(&self.knob.training);
        }
        let sizes = || self.knob.training.iter().map(|size| (*size, probability(*size)));
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

/// The sizes listed in `text`, ascending.
fn skipped(operand: String, text: &str, minimum: u32, maximum: u32) -> Result<Vec<u32>> {
    let mut sizes = Vec::new();
    for word in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        // Sizes at the ends of the range are not between training sizes.
        let size = word.parse().ok().filter(|size| (minimum + 1..maximum).contains(size));
        match size {
            Some(size) if !sizes.contains(&size) => sizes.push(size),
            _ => {
                let expected = format!("distinct sizes strictly between {minimum} and {maximum}, separated by commas");
                return Err(Error::invalid(operand, expected, format!("`{word}`")));
            }
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}
