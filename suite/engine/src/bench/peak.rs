//! Peak rate of matrix products on this machine.

use std::time::Instant;

use haltbench_sdk::candle_core::{self, DType, Device, Tensor};
use haltbench_sdk::ops::linear;

use crate::error::Result;

/// Seconds for which each product of a shape is repeated.
const BUDGET: f64 = 0.2;

/// The best rate of a matrix product, candle's or [`linear`]'s, over square matrices and the `shapes` given as (rows,
/// inner, columns), in floating-point operations per second. The faster of the two is closer to the machine's peak,
/// because only one of them may use its widest registers.
///
/// # Errors
/// If the device refuses a product.
pub fn matmul_peak(device: &Device, shapes: &[(usize, usize, usize)]) -> Result<f64> {
    let square = [512, 1024, 1536].map(|side| (side, side, side));
    let mut best: f64 = 0.0;
    for (rows, inner, columns) in square.iter().chain(shapes) {
        let left = Tensor::ones((*rows, *inner), DType::F32, device)?;
        let weight = Tensor::ones((*columns, *inner), DType::F32, device)?;
        let right = weight.t()?.contiguous()?;
        let flops = 2.0 * (rows * inner * columns) as f64;
        let candle = || left.matmul(&right);
        let ours = || linear(&left, &weight, None);
        for product in [&candle as &dyn Fn() -> candle_core::Result<Tensor>, &ours] {
            let started = Instant::now();
            while started.elapsed().as_secs_f64() < BUDGET {
                let once = Instant::now();
                // Reading one number waits until an accelerator has finished.
                product()?.get(0)?.get(0)?.to_scalar::<f32>()?;
                best = best.max(flops / once.elapsed().as_secs_f64());
            }
        }
    }
    Ok(best)
}
