//! Options that stacks share: how positions and steps enter, how the input joins the state, and the head.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::abacus::Abacus;
use super::attention::AttentionShape;
use super::block::BlockShape;
use super::injection::Injection;
use super::rotation::Rotation;
use super::signals::Signal;
use crate::backbone::{BackboneContext, BeginContext};
use crate::error::{Error, Result};
use crate::parameters::{ParameterSpec, Parameters};

/// Heads of keys and values.
pub const KEY_VALUE_HEADS: ParameterSpec =
    ParameterSpec::integer("key_value_heads", 0, (0, 1024), "heads of keys and values; 0 means as many as `heads`");
/// How positions enter.
pub const POSITIONS: ParameterSpec = ParameterSpec::choice(
    "positions",
    "rope",
    &["rope", "none", "learned", "abacus"],
    "rope rotates queries and keys, learned adds a row of a table to the embedding, abacus the row of a digit's place",
);
/// Base of the rotary angles.
pub const ROPE_THETA: ParameterSpec =
    ParameterSpec::real("rope_theta", 10_000.0, (1.0, 1e9), "base of the rotary angles");
/// Positions of a table.
pub const LEARNED_POSITIONS: ParameterSpec =
    ParameterSpec::integer("learned_positions", 1024, (1, 1 << 20), "positions that a learned table has");
/// Random shift of places.
pub const ABACUS_SHIFT: ParameterSpec = ParameterSpec::integer(
    "abacus_shift",
    100,
    (0, 1 << 20),
    "largest random shift of the places of digits in training",
);
/// What is added to the state for the step.
pub const STEP_SIGNAL: ParameterSpec = ParameterSpec::choice(
    "step_signal",
    "none",
    Signal::NAMES,
    "what is added to the state for the number of the step",
);
/// Steps of a table.
pub const LEARNED_STEPS: ParameterSpec =
    ParameterSpec::integer("learned_steps", 32, (1, 4096), "steps that a learned signal has");
/// How the prelude's output joins the state at every step.
pub const INJECTION: ParameterSpec = ParameterSpec::choice(
    "injection",
    "none",
    Injection::NAMES,
    "how the prelude's output joins the state at every step",
);
/// Whether head and embedding share a matrix.
pub const TIED: ParameterSpec = ParameterSpec::flag("tied", false, "whether the head reuses the embedding");

/// Heads of keys and values by [`KEY_VALUE_HEADS`].
///
/// # Errors
/// If a parameter is not declared.
pub fn key_value_heads(parameters: &Parameters) -> Result<usize> {
    let given = parameters.integer("key_value_heads")?;
    if given == 0 { parameters.integer("heads") } else { Ok(given) }
}

/// A layer of Llama 2 by the parameters `d_model`, `d_ff`, `heads`, `rms_norm_epsilon` and [`KEY_VALUE_HEADS`].
///
/// # Errors
/// If a parameter is not declared.
pub fn llama2_layer(parameters: &Parameters, rotation: Rotation) -> Result<BlockShape> {
    let (d_model, d_ff) = (parameters.integer("d_model")?, parameters.integer("d_ff")?);
    let (heads, epsilon) = (parameters.integer("heads")?, parameters.real("rms_norm_epsilon")?);
    let layer = BlockShape::llama2(d_model, d_ff, heads, epsilon, 1.0);
    let key_value_heads = key_value_heads(parameters)?;
    Ok(BlockShape { attention: AttentionShape { rotation, key_value_heads, ..layer.attention }, ..layer })
}

/// How positions enter.
pub enum Positions {
    /// Within attention, or not at all.
    Within(Rotation),
    /// A row of a table, `[positions, d_model]`, is added to the embedding.
    Learned(Tensor),
    /// A row of a table for the place of a digit within its number is added to the embedding.
    Abacus(Abacus),
}

impl Positions {
    /// By [`POSITIONS`], [`ROPE_THETA`], [`LEARNED_POSITIONS`] and [`ABACUS_SHIFT`]. The table is `prelude.positions.weight`, with the
    /// variance 1 / d_model of the embedding at the start.
    ///
    /// # Errors
    /// If a parameter is not declared, a stored table has another shape, or abacus positions lack digits.
    pub fn new(context: &BackboneContext, d_model: usize) -> Result<Self> {
        let BackboneContext { parameters, variables, vocabulary } = context;
        Ok(match parameters.text("positions")? {
            "rope" => Self::Within(Rotation::Halves { theta: parameters.real("rope_theta")? }),
            "learned" => Self::learned(parameters.integer("learned_positions")?, d_model, variables)?,
            "abacus" => {
                let size = (parameters.integer("learned_positions")?, d_model);
                let shift = parameters.integer("abacus_shift")? as u32;
                Self::Abacus(Abacus::new(*vocabulary, size, shift, variables)?)
            }
            _ => Self::Within(Rotation::None),
        })
    }

    /// A table for `count` positions.
    ///
    /// # Errors
    /// If a stored table has another shape.
    pub fn learned(count: usize, d_model: usize, variables: &VarBuilder) -> Result<Self> {
        let init = Init::Randn { mean: 0.0, stdev: (d_model.max(1) as f64).sqrt().recip() };
        Ok(Self::Learned(variables.pp("prelude").pp("positions").get_with_hints((count, d_model), "weight", init)?))
    }

    /// The rotation of queries and keys.
    pub fn rotation(&self) -> Rotation {
        match self {
            Self::Within(rotation) => *rotation,
            Self::Learned(_) | Self::Abacus(_) => Rotation::None,
        }
    }

    /// Whether a position depends on the tokens before it.
    pub fn read_earlier_tokens(&self) -> bool {
        matches!(self, Self::Abacus(_))
    }

    /// The embedded `tokens` of all rows with their positions.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a position is beyond the table.
    pub fn add(&self, embedded: &Tensor, tokens: &Tensor, context: &BeginContext) -> Result<Tensor> {
        let (table, layout) = match self {
            Self::Within(_) => return Ok(embedded.clone()),
            Self::Abacus(abacus) => return abacus.add(embedded, tokens, context),
            Self::Learned(table) => (table, context.layout),
        };
        let positions: Vec<u32> = (0..layout.rows()).map(|row| layout.position(row) as u32).collect();
        let count = table.dim(0)?;
        if let Some(position) = positions.iter().find(|position| **position as usize >= count) {
            return Err(Error::invalid("position", format!("a number below {count}, the learned positions"), position));
        }
        let index = Tensor::from_slice(&positions, positions.len(), embedded.device())?;
        Ok((embedded + table.index_select(&index, 0)?)?)
    }
}
