//! The decider of both policies: LayerNorm, a linear layer without bias, SiLU, a linear layer with bias (§3.1).

use haltbench_sdk::candle_core::{Result, Tensor};
use haltbench_sdk::candle_nn::Init;
use haltbench_sdk::layers::Linear;
use haltbench_sdk::ops::{PerceptronWeights, perceptron};
use haltbench_sdk::prelude::{ParameterSpec, PolicyContext};

/// Added to the variance before the root.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Parameters that both policies share, with the paper's settings for MANO.
pub const GAMMA: ParameterSpec =
    ParameterSpec::real("gamma", 0.1, (0.0, 1e6), "weight of the regulariser; the paper: 0.1, LANO and CLRS 0.01");
/// Base of the prior over depths.
pub const BASE: ParameterSpec =
    ParameterSpec::real("b", 1.25, (1.0, 1e6), "base of the prior p(d) ∝ b^-d; 1 is an entropy bonus alone");
/// Width of the decider.
pub const WIDTH: ParameterSpec = ParameterSpec::real(
    "decider_width",
    4.0,
    (0.001, 1024.0),
    "hidden width in multiples of d_model; the paper: 4, for MANO 6.5",
);

/// A perceptron that maps a token state to logits.
pub struct Decider {
    weights: PerceptronWeights,
    width: usize,
    outputs: usize,
}

impl Decider {
    /// A decider with `outputs` outputs.
    pub fn new(context: &PolicyContext, outputs: usize) -> haltbench_sdk::Result<Self> {
        let width = (context.parameters.real("decider_width")? * context.d_model as f64).round().max(1.0) as usize;
        let variables = &context.variables;
        let (norm, down) = (variables.pp("norm"), variables.pp("down"));
        let weights = PerceptronWeights {
            scale: norm.get_with_hints(context.d_model, "weight", Init::Const(1.0))?,
            shift: norm.get_with_hints(context.d_model, "bias", Init::Const(0.0))?,
            up: Linear::new(context.d_model, width, variables.pp("up"))?.weight().clone(),
            bias: down.get_with_hints(outputs, "bias", Init::Const(0.0))?,
            down: Linear::new(width, outputs, down)?.weight().clone(),
        };
        Ok(Self { weights, width, outputs })
    }

    /// Logits of each row, `[rows, d_model]` to `[rows, outputs]`.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        perceptron(states, &self.weights, LAYER_NORM_EPSILON)
    }

    /// Floating-point operations for one token.
    pub fn flops(&self, d_model: usize) -> f64 {
        2.0 * self.width as f64 * (d_model + self.outputs) as f64 + 8.0 * d_model as f64
    }
}
