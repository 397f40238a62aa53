//! The parameters, validated together.

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::SizeKnob;
use haltbench_sdk::task::sizes::skipped;
use haltbench_sdk::{Error, Result};

use crate::law::Law;

/// Name of the task.
pub const NAME: &str = "flip-flop";

/// Distances of evaluation sizes beyond the training range.
const STEPS_BEYOND: [u32; 5] = [1, 2, 4, 8, 16];

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::integer(
        "instructions",
        32,
        (16, 512),
        "Instructions of every sequence, N; with their bits 2N tokens. The published sequences have 256.",
    ),
    ParameterSpec::real(
        "ignore_probability",
        0.8,
        (0.01, 0.99),
        "Probability that an instruction is an ignore, before lags are chosen; writes and reads are equally likely. \
         Published: 0.8 for training and test, 0.98 (sparse) and 0.1 (dense) for test.",
    ),
    ParameterSpec::integer("minimum_lag", 1, (1, 511), "Smallest training size L."),
    ParameterSpec::integer("maximum_lag", 12, (1, 511), "Largest training size L."),
    ParameterSpec::integer(
        "largest_lag",
        0,
        (0, 511),
        "Largest size L that can be asked for; sizes beyond training are 1, 2, 4, 8 and 16 above its largest, up to \
         this; 0 for all that fit.",
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
        "Training sizes: all equally likely, or as likely as the published sampler's sequences have them.",
    ),
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sizes: the longest lag of a read.
    pub knob: SizeKnob,
    /// Number of instructions of a sequence.
    pub instructions: usize,
    /// The law of programs.
    pub law: Law,
    /// Whether training sizes follow the law of programs.
    is_sampled: bool,
}

impl Settings {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming the invalid parameter.
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let whole = |name: &str| parameters.integer(name).map(|value| value as u32);
        let operand = |name: &str| format!("parameter `{name}` of {NAME}");
        let instructions = parameters.integer("instructions")?;
        // The first instruction is a write, so no read has a longer lag.
        let possible = instructions as u32 - 1;
        let (minimum, maximum) = (whole("minimum_lag")?, whole("maximum_lag")?);
        let largest = match whole("largest_lag")? {
            0 => possible,
            largest => largest,
        };
        for (name, value, bound, bound_name) in
            [("maximum_lag", maximum, minimum, "minimum_lag"), ("largest_lag", largest, maximum, "maximum_lag")]
        {
            if value < bound {
                return Err(Error::invalid(operand(name), format!("at least {bound_name}, which is {bound}"), value));
            }
            if value > possible {
                let expected = format!("at most {possible}, one less than the {instructions} instructions");
                return Err(Error::invalid(operand(name), expected, value));
            }
        }
        let between = skipped(operand("skip"), parameters.text("skip")?, minimum, maximum)?;
        let training = (minimum..=maximum).filter(|size| !between.contains(size)).collect();
        let beyond = STEPS_BEYOND.iter().map(|step| maximum + step).filter(|size| *size <= largest).collect();
        let knob = SizeKnob { name: "L", minimum: 1, maximum: largest, training, between, beyond };
        let law = Law::new(parameters.real("ignore_probability")?, instructions, largest as usize);
        let is_sampled = parameters.text("size_law")? == "sampler";
        Ok(Self { knob, instructions, law, is_sampled })
    }

    /// Draws a training size.
    pub fn training_size(&self, stream: &mut Stream) -> u32 {
        let training = &self.knob.training;
        if !self.is_sampled {
            return *stream.choose(training);
        }
        let probability = |size: &u32| self.law.probability(*size as usize, self.instructions);
        let mut undrawn = stream.uniform() * training.iter().map(probability).sum::<f64>();
        let chosen = training.iter().find(|size| {
            undrawn -= probability(size);
            undrawn <= 0.0
        });
        // Rounding may leave a little after the last size.
        chosen.or(training.last()).copied().unwrap_or(1)
    }
}
