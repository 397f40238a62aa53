//! A linear layer with weights of its own.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::ops::linear;

/// A linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer without bias; weights are normal with variance 1 / inputs.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn new(inputs: usize, outputs: usize, variables: VarBuilder) -> Result<Self> {
        Self::spread(inputs, outputs, None, variables)
    }

    /// A layer without bias; weights are normal with the standard deviation given, or with variance 1 / inputs.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn spread(inputs: usize, outputs: usize, stdev: Option<f64>, variables: VarBuilder) -> Result<Self> {
        let weight = variables.get_with_hints((outputs, inputs), "weight", normal(inputs, stdev))?;
        Ok(Self { weight, bias: None })
    }

    /// A layer with a bias that starts at zero.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn with_bias(inputs: usize, outputs: usize, variables: VarBuilder) -> Result<Self> {
        Self::with_bias_from(0.0, inputs, outputs, variables)
    }

    /// A layer with a bias that starts at `bias`.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn with_bias_from(bias: f64, inputs: usize, outputs: usize, variables: VarBuilder) -> Result<Self> {
        let bias = variables.get_with_hints(outputs, "bias", Init::Const(bias))?;
        Ok(Self { bias: Some(bias), ..Self::new(inputs, outputs, variables)? })
    }

    /// This layer with a bias that starts at zero.
    ///
    /// # Errors
    /// If a stored bias has another shape.
    pub fn biased(self, variables: VarBuilder) -> Result<Self> {
        let bias = variables.get_with_hints(self.weight.dim(0)?, "bias", Init::Const(0.0))?;
        Ok(Self { bias: Some(bias), ..self })
    }

    /// The matrix, `[outputs, inputs]`, for operations that take it as an operand.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        linear(x, &self.weight, self.bias.as_ref())
    }
}

/// How a matrix of `inputs` columns starts: with the standard deviation given, or with variance 1 / inputs.
pub(super) fn normal(inputs: usize, stdev: Option<f64>) -> Init {
    Init::Randn { mean: 0.0, stdev: stdev.unwrap_or((inputs.max(1) as f64).sqrt().recip()) }
}

/// Standard deviations of a layer's initial weights; `None` means 1 / sqrt(inputs).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// Matrices that read a state: queries, keys, values, gates.
    pub inputs: Option<f64>,
    /// The matrix whose result is multiplied with a gate.
    pub up: Option<f64>,
    /// Matrices whose result is added to a state.
    pub outputs: Option<f64>,
}
