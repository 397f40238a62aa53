//! log sigmoid(x) = min(x, 0) - log(1 + e^-|x|), without overflow on either side.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::cpu::{self, Float, Real, dispatch, number};
use crate::instructions::Portable;
use crate::operands;

struct LogSigmoid;

/// log sigmoid(x), element by element.
///
/// # Errors
/// If the type is not a floating-point type.
pub fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    if cpu::fused(x) {
        return x.contiguous()?.apply_op1(LogSigmoid);
    }
    operands::unless_empty(x, x.shape(), || composed(x))
}

fn composed(x: &Tensor) -> Result<Tensor> {
    let magnitude = x.abs()?;
    ((x - &magnitude)? * 0.5)? - (magnitude.neg()?.exp()? + 1.0)?.log()?
}

fn magnitude<T: Real>(x: T) -> T {
    if x < T::zero() { -x } else { x }
}

impl CustomOp1 for LogSigmoid {
    fn name(&self) -> &'static str {
        "log-sigmoid"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("log-sigmoid", candle_core::backend::BackendStorage::dtype(storage), T => {
            let value = |x: &T| {
                let least = if *x < 0.0 { *x } else { 0.0 };
                least - (number::<T>(1.0) + Float::exp(-magnitude(*x), Portable)).ln()
            };
            let values: Vec<T> = cpu::slice::<T>(storage, layout)?.iter().map(value).collect();
            Ok(cpu::stored(values, layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        dispatch!("log-sigmoid", x.dtype(), T => {
            let values = cpu::with::<T, _>(x, |x| cpu::with::<T, _>(grad, |grad| {
                let slope = |x: &T| number::<T>(1.0) / (number::<T>(1.0) + Float::exp(*x, Portable));
                Ok(x.iter().zip(grad).map(|(x, grad)| slope(x) * *grad).collect::<Vec<T>>())
            }))?;
            cpu::gradient(values, x)
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::{composed, log_sigmoid};
    use crate::testing::{agree, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        agree(&[values(&[3, 5], 31)], |x| log_sigmoid(&x[0]), |x| composed(&x[0]));
    }

    #[test]
    fn stays_finite_where_the_sigmoid_saturates() {
        let x = Var::new(&[-1000f32, -80.0, 0.0, 80.0, 1000.0], &Device::Cpu).unwrap();
        let y: Tensor = log_sigmoid(x.as_tensor()).unwrap();
        let found = y.to_vec1::<f32>().unwrap();
        for (found, expected) in found.iter().zip([-1000.0, -80.0, -(2f32.ln()), 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
        }
        let gradient = y.sum_all().unwrap().backward().unwrap();
        let found = gradient.get(&x).unwrap().to_vec1::<f32>().unwrap();
        for (found, expected) in found.iter().zip([1.0, 1.0, 0.5, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
        }
    }
}
