//! Norms of token states, row by row.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::ops::{layer_norm, rms_norm};

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NormShape {
    /// RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467): x / sqrt(mean of x² + epsilon).
    Rms {
        /// Added to the mean square before the root.
        epsilon: f64,
        /// Whether it is multiplied by a weight, which starts at one.
        weighted: bool,
    },
    /// LayerNorm (Ba et al. 2016, arXiv 1607.06450): (x - mean) / sqrt(variance + epsilon), times a weight that starts at
    /// one, plus a bias that starts at zero.
    Layer {
        /// Added to the variance before the root.
        epsilon: f64,
    },
}

/// A norm with weights of its own.
#[derive(Debug, Clone)]
pub struct Norm {
    epsilon: f64,
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Norm {
    /// A norm of rows of `width` numbers.
    ///
    /// # Errors
    /// If a stored weight has another shape.
    pub fn new(shape: NormShape, width: usize, variables: VarBuilder) -> Result<Self> {
        let ones = || variables.get_with_hints(width, "weight", Init::Const(1.0));
        Ok(match shape {
            NormShape::Rms { epsilon, weighted: true } => Self { epsilon, weight: ones()?, bias: None },
            NormShape::Rms { epsilon, weighted: false } => {
                let weight = Tensor::ones(width, variables.dtype(), variables.device())?;
                Self { epsilon, weight, bias: None }
            }
            NormShape::Layer { epsilon } => {
                let bias = variables.get_with_hints(width, "bias", Init::Const(0.0))?;
                Self { epsilon, weight: ones()?, bias: Some(bias) }
            }
        })
    }

    /// `[rows, width]` to `[rows, width]`.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => layer_norm(x, &self.weight, bias, self.epsilon),
            None => rms_norm(x, &self.weight, self.epsilon),
        }
    }
}
