//! The parameters, validated together.

use haltbench_sdk::Result;
use haltbench_sdk::nodes::{self, NodeSettings};
use haltbench_sdk::parameters::{ParameterSpec, Parameters};

use crate::hops::{Encoding, Hops, Law};

/// Name of the task.
pub const NAME: &str = "depo";

/// The parameters.
pub const PARAMETERS: &[ParameterSpec] = &[
    nodes::MINIMUM_NODES,
    nodes::MAXIMUM_NODES,
    nodes::LARGEST_NODES,
    nodes::SKIP,
    nodes::SIZE_LAW,
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
    nodes::SPARE_VOCABULARY,
    nodes::VOCABULARY,
    nodes::SHORTEST_NAME,
    nodes::LONGEST_NAME,
];

/// A configured task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Numbers of nodes and their names.
    pub nodes: NodeSettings,
    /// Numbers of hops.
    pub hops: Hops,
    /// Largest number of questions in a sequence.
    pub queries: usize,
}

impl Settings {
    /// Reads the parameters; `markers` other tokens come before the tokens of hops and names.
    ///
    /// # Errors
    /// [`Error::Invalid`](haltbench_sdk::Error::Invalid), naming the invalid parameter.
    pub fn new(parameters: &Parameters, markers: u32) -> Result<Self> {
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
        let hops = Hops::new(encoding, law, parameters.integer("maximum_hops")? as u32);
        let queries = parameters.integer("queries")?;
        let first_name = markers + hops.words().len() as u32;
        Ok(Self { nodes: NodeSettings::new(NAME, parameters, first_name)?, hops, queries })
    }
}
