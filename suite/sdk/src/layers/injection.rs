//! How the input of a recurrence joins the state at every step.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::Linear;
use crate::error::{Error, Result};

/// How the input e joins the state h before the core's first layer.
pub enum Injection {
    /// The core reads h alone.
    None,
    /// The core reads h + e.
    Add,
    /// The core reads an adapter of [h; e].
    Concat(Linear),
}

impl Injection {
    /// The names that [`named`](Self::named) knows, for a parameter.
    pub const NAMES: &'static [&'static str] = &["concat", "add", "none"];

    /// The injection called `name`; an adapter requests `core.adapter.weight` from a backbone's `variables`, with the
    /// standard deviation `deviation` at the start.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn named(name: &str, d_model: usize, deviation: Option<f64>, variables: &VarBuilder) -> Result<Self> {
        let adapter = || Linear::spread(2 * d_model, d_model, deviation, variables.pp("core").pp("adapter"));
        Ok(match name {
            "concat" => Self::Concat(adapter()?),
            "add" => Self::Add,
            _ => Self::None,
        })
    }

    /// Whether the core reads the state alone.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// What the core reads, `[rows, d_model]`, of states and inputs of the same rows.
    ///
    /// # Errors
    /// If there is no input where one joins the state.
    pub fn join(&self, states: &Tensor, input: Option<&Tensor>) -> Result<Tensor> {
        match (self, input) {
            (Self::None, _) => Ok(states.clone()),
            (Self::Add, Some(input)) => Ok((states + input)?),
            (Self::Concat(adapter), Some(input)) => Ok(adapter.forward(&Tensor::cat(&[states, input], 1)?)?),
            (_, None) => Err(Error::invalid("input of a step", "what the recurrence began with", "nothing")),
        }
    }

    /// Floating-point operations of one row.
    pub fn flops(&self, d_model: usize) -> f64 {
        let d_model = d_model as f64;
        match self {
            Self::None => 0.0,
            Self::Add => d_model,
            Self::Concat(_) => 4.0 * d_model * d_model,
        }
    }
}
