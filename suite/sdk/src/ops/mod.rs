//! Fused operations with a backward pass, and the plain compositions that they must equal.
//!
//! candle's own fused RMSNorm, softmax and rotary embedding have no backward pass. Each operation here runs fused on
//! the CPU, in f32 and f64; on other devices its composition of candle's primitives runs. Tests hold the two against
//! each other and against finite differences.

mod adamw;
mod attention;
mod cached_attention;
mod cpu;
mod cross_entropy;
mod decider;
mod entries;
mod gate;
mod kl_from_prior;
mod lane_sums;
mod layer;
mod layer_norm;
mod linear;
mod lines;
mod log_sigmoid;
mod product;
mod rms_norm;
mod rope;
mod rows;
mod scratch;
mod silu;
mod sums;
mod swiglu;

pub use adamw::{AdamWStep, Moments, square_sums};
pub use attention::{AttentionPlan, causal_attention};
pub use cached_attention::{NO_ENTRY, cached_attention};
pub use cross_entropy::cross_entropy;
pub use decider::{DeciderWeights, decider};
pub use entries::KeyValueEntries;
pub use gate::{Candidates, EarlierCandidates, passthrough, straight_through};
pub use kl_from_prior::kl_from_prior;
pub use layer::{Backward, LayerPass, LayerWeights};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use log_sigmoid::log_sigmoid;
pub use rms_norm::rms_norm;
pub use rope::{RopeTable, rope};
pub use rows::{gather_rows, replace_rows, update_rows};
pub use silu::silu;
pub use swiglu::swiglu;

use candle_core::{DType, Result, Shape, Tensor};

/// The error for an operand that does not fit: fused operations walk over plain memory, where a wrong shape would be a
/// wrong result and not a refusal.
fn unfit(operand: &str, expected: impl Into<String>, found: impl ToString) -> candle_core::Error {
    candle_core::Error::wrap(crate::Error::invalid(operand, expected, found))
}

/// Demands a shape and a type of an operand.
fn expect(operand: &str, found: &Tensor, shape: &[usize], dtype: DType) -> Result<()> {
    if found.dims() == shape && found.dtype() == dtype {
        return Ok(());
    }
    let described = |shape: &[usize], dtype: DType| format!("{shape:?} of {}", dtype.as_str());
    Err(unfit(operand, described(shape, dtype), described(found.dims(), found.dtype())))
}

/// What `compose` makes of `operand`, of shape `shape`; zeros where one of both has no elements, since a GPU launches no
/// kernel over nothing, and a sum over nothing is zero.
fn unless_empty(operand: &Tensor, shape: impl Into<Shape>, compose: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    let shape = shape.into();
    if operand.elem_count() == 0 || shape.elem_count() == 0 {
        return Tensor::zeros(shape, operand.dtype(), operand.device());
    }
    compose()
}

/// Rows and columns of an operand that must be a matrix.
fn matrix(operand: &str, found: &Tensor) -> Result<(usize, usize)> {
    match found.dims() {
        [rows, columns] => Ok((*rows, *columns)),
        other => Err(unfit(operand, "rows and columns", format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Result, Tensor, Var};

    use crate::random::Stream;

    /// Seeded normal numbers in f64.
    pub fn values(shape: &[usize], seed: u64) -> Tensor {
        let mut stream = Stream::new(seed, "test", &[]);
        let count = shape.iter().product();
        let values: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn close(what: &str, left: &[f64], right: &[f64], tolerance: f64) {
        assert_eq!(left.len(), right.len(), "{what}");
        for (index, (left, right)) in left.iter().zip(right).enumerate() {
            assert!((left - right).abs() <= tolerance * (1.0 + right.abs()), "{what}[{index}]: {left} against {right}");
        }
    }

    /// Value and gradients of the sum of `operation`, weighted by seeded numbers so that no direction is lost.
    fn evaluate(inputs: &[Tensor], operation: impl Fn(&[Tensor]) -> Result<Tensor>) -> (Vec<f64>, Vec<Vec<f64>>, f64) {
        let variables: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
        let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let result = operation(&tensors).unwrap();
        let weights = values(result.dims(), 99).to_dtype(result.dtype()).unwrap();
        let loss = (&result * weights).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = |variable: &Var| numbers(gradients.get(variable).unwrap());
        (numbers(&result), variables.iter().map(gradient).collect(), numbers(&loss)[0])
    }

    /// Holds a fused operation against its composition, in f64 and f32.
    pub fn agree_without_differences(
        inputs: &[Tensor],
        fused: impl Fn(&[Tensor]) -> Result<Tensor>,
        composed: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) {
        for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 3e-5)] {
            let inputs: Vec<Tensor> = inputs.iter().map(|input| input.to_dtype(dtype).unwrap()).collect();
            let (value, gradients, _) = evaluate(&inputs, &fused);
            let (expected, expected_gradients, _) = evaluate(&inputs, &composed);
            close("value", &value, &expected, tolerance);
            for (gradient, expected) in gradients.iter().zip(&expected_gradients) {
                close("gradient", gradient, expected, tolerance * 10.0);
            }
        }
    }

    /// Holds a fused operation against its composition and, in f64, against central finite differences.
    pub fn agree(
        inputs: &[Tensor],
        fused: impl Fn(&[Tensor]) -> Result<Tensor>,
        composed: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) {
        agree_without_differences(inputs, &fused, composed);
        let (_, gradients, _) = evaluate(inputs, &fused);
        let step = 1e-5;
        for (which, gradient) in gradients.iter().enumerate() {
            let base = numbers(&inputs[which]);
            let stride = (base.len() / 40).max(1);
            for index in (0..base.len()).step_by(stride) {
                let loss = |shift: f64| {
                    let mut moved = base.clone();
                    moved[index] += shift;
                    let mut inputs = inputs.to_vec();
                    inputs[which] = Tensor::from_vec(moved, inputs[which].shape(), &Device::Cpu).unwrap();
                    evaluate(&inputs, &fused).2
                };
                let difference = (loss(step) - loss(-step)) / (2.0 * step);
                close("finite difference", &[gradient[index]], &[difference], 1e-6);
            }
        }
    }
}
