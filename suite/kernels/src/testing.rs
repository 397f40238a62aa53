//! Shared by the tests of operations.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use candle_core::{DType, Device, Result, Tensor, Var};

#[path = "../tests/support/normals.rs"]
mod normals;

/// `count` seeded normal numbers.
pub fn normals(count: usize, seed: u64) -> Vec<f64> {
    normals::normals(count, seed, "test")
}

/// Seeded normal numbers in f64.
pub fn values(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(normals(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
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

/// Compares a fused operation with its composition, in f64 and f32.
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

/// Compares a fused operation with its composition and, in f64, with central finite differences.
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

/// The first row of each sequence of these lengths, and the number of all rows.
pub fn starts(lengths: &[u32]) -> Vec<u32> {
    let ends = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

/// The rows where `mask` is true.
pub fn rows_where(mask: impl IntoIterator<Item = bool>) -> Vec<u32> {
    (0..).zip(mask).filter(|(_, set)| *set).map(|(row, _)| row).collect()
}
