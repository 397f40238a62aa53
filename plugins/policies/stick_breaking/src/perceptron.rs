//! The gate of both policies: two layers with a GELU between them.

use std::f64::consts::FRAC_1_SQRT_2;

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

/// Two linear layers with a GELU between them, the exact one with the error function.
pub struct Perceptron {
    /// The first layer, with a bias.
    pub inner: Linear,
    /// The second layer.
    pub outer: Linear,
}

impl Perceptron {
    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.inner.forward(x)?;
        let gelu = (&x * (&x * FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?)?;
        Ok(self.outer.forward(&gelu)?)
    }
}

/// The first values where `mask` is set, the second elsewhere; all of them have one row for each flag.
pub fn select(mask: &[bool], yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    let flags = mask.iter().map(|set| u8::from(*set)).collect();
    let mut flags = Tensor::from_vec(flags, mask.len(), yes.device())?;
    while flags.rank() < yes.rank() {
        flags = flags.unsqueeze(flags.rank())?;
    }
    Ok(flags.broadcast_as(yes.shape())?.where_cond(yes, no)?)
}
