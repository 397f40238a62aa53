//! Feed-forward layers, row by row.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::linear::{Linear, Spread, normal};
use crate::backbone::PartCost;
use crate::ops::{linear, silu, swiglu};

/// Activation between the two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// silu(gate) · up (Shazeer 2020, arXiv 2002.05202): three matrices.
    SwiGlu,
    /// GELU with the error function (Hendrycks and Gimpel 2016, arXiv 1606.08415).
    Gelu,
    /// max(x, 0).
    Relu,
}

/// Sizes and options of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeedForwardShape {
    /// Width of a token state.
    pub d_model: usize,
    /// Hidden width.
    pub d_ff: usize,
    /// Activation between the products.
    pub activation: Activation,
    /// Whether its matrices have biases, which start at zero.
    pub bias: bool,
    /// Standard deviations of the initial weights.
    pub spread: Spread,
}

impl FeedForwardShape {
    /// A layer without biases.
    pub const fn new(d_model: usize, d_ff: usize, activation: Activation) -> Self {
        Self { d_model, d_ff, activation, bias: false, spread: Spread { inputs: None, up: None, outputs: None } }
    }

    /// Analytic forward cost; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let matrices = if self.activation == Activation::SwiGlu { 3.0 } else { 2.0 };
        PartCost { per_row: 2.0 * matrices * (self.d_model * self.d_ff) as f64, ..PartCost::default() }
    }
}

/// A feed-forward layer with weights of its own, named as in Hugging Face's Llama.
pub struct FeedForward {
    first: First,
    down: Linear,
}

enum First {
    /// Gate and up as one matrix.
    Fused(Tensor),
    /// Gate and up with biases, or with different spreads.
    Gated {
        gate: Linear,
        up: Linear,
    },
    Plain {
        up: Linear,
        activation: Activation,
    },
}

impl FeedForward {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If stored weights have other shapes.
    pub fn new(shape: FeedForwardShape, variables: VarBuilder) -> Result<Self> {
        let FeedForwardShape { d_model, d_ff, activation, bias, spread } = shape;
        let layer = |name: &str, inputs: usize, outputs: usize, stdev: Option<f64>| {
            let layer = Linear::spread(inputs, outputs, stdev, variables.pp(name))?;
            if bias { layer.biased(variables.pp(name)) } else { Ok(layer) }
        };
        let first = match activation {
            Activation::SwiGlu if !bias && spread.up == spread.inputs => {
                let init = normal(d_model, spread.inputs);
                First::Fused(variables.get_with_hints((2 * d_ff, d_model), "{gate_proj,up_proj}.weight", init)?)
            }
            Activation::SwiGlu => First::Gated {
                gate: layer("gate_proj", d_model, d_ff, spread.inputs)?,
                up: layer("up_proj", d_model, d_ff, spread.up)?,
            },
            _ => First::Plain { up: layer("up_proj", d_model, d_ff, spread.inputs)?, activation },
        };
        Ok(Self { first, down: layer("down_proj", d_ff, d_model, spread.outputs)? })
    }

    /// `[rows, d_model]` to `[rows, d_model]`.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = match &self.first {
            First::Fused(weight) => swiglu(&linear(x, weight, None)?)?,
            First::Gated { gate, up } => (silu(&gate.forward(x)?)? * up.forward(x)?)?,
            First::Plain { up, activation: Activation::Relu } => up.forward(x)?.relu()?,
            First::Plain { up, .. } => gelu(&up.forward(x)?)?,
        };
        self.down.forward(&inner)
    }
}

/// x (1 + erf(x / √2)) / 2. The gradient of candle's own operation has a constant of six digits.
fn gelu(x: &Tensor) -> Result<Tensor> {
    x * (x * std::f64::consts::FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?
}
