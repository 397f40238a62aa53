//! How fast this machine multiplies matrices.

use std::time::Instant;

use haltbench_sdk::candle_core::{DType, Device, Tensor};

use crate::error::Result;

/// How long each shape is tried, in seconds.
const BUDGET: f64 = 0.3;

/// The best rate of candle's own matrix product over square matrices and the `shapes` given as (rows, inner, columns),
/// in floating-point operations per second.
///
/// # Errors
/// If the device refuses a product.
pub fn matmul_peak(device: &Device, shapes: &[(usize, usize, usize)]) -> Result<f64> {
    let square = [512, 1024, 1536].map(|side| (side, side, side));
    let mut best: f64 = 0.0;
    for (rows, inner, columns) in square.iter().chain(shapes) {
        let left = Tensor::ones((*rows, *inner), DType::F32, device)?;
        let right = Tensor::ones((*inner, *columns), DType::F32, device)?;
        let flops = 2.0 * (rows * inner * columns) as f64;
        let started = Instant::now();
        while started.elapsed().as_secs_f64() < BUDGET {
            let product = Instant::now();
            let result = left.matmul(&right)?;
            // Reading one number waits for an accelerator.
            result.get(0)?.get(0)?.to_scalar::<f32>()?;
            best = best.max(flops / product.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}
