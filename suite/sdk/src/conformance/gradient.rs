//! Gradients against central finite differences, in f64.

use candle_core::{DType, Tensor, Var};

use super::promise::Subject;
use crate::error::Result;
use crate::initialise::Variables;
use crate::random::Stream;

/// Half the distance of a central difference.
const STEP: f64 = 1e-5;
/// How far gradient and difference may be apart, relative to 1 + the difference.
const TOLERANCE: f64 = 1e-6;

/// The sum of the numbers of `tensor` times fixed random numbers, so that no direction of the gradient is lost.
pub(super) fn weighted_sum(tensor: &Tensor) -> Result<Tensor> {
    let mut stream = Stream::new(0, "conformance-weighted-sum", &[]);
    let weights: Vec<f64> = (0..tensor.elem_count()).map(|_| stream.normal()).collect();
    let weights = Tensor::from_vec(weights, tensor.shape(), tensor.device())?;
    Ok((tensor.to_dtype(DType::F64)? * weights)?.sum_all()?)
}

/// The gradient of `value` with respect to every variable; zeros where it does not depend on one.
pub(super) fn gradients(value: &Tensor, variables: &[(String, Var)]) -> Result<Vec<Vec<f64>>> {
    let store = value.backward()?;
    let gradient = |(_, variable): &(String, Var)| match store.get(variable) {
        Some(gradient) => Ok(gradient.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?),
        None => Ok(vec![0.0; variable.elem_count()]),
    };
    variables.iter().map(gradient).collect()
}

/// Compares the gradient of `objective`, a scalar function of `variables`, with finite differences, at up to `elements`
/// elements of each variable and at the element with the largest gradient.
pub(super) fn check_gradient(
    subject: &Subject,
    promise: &str,
    variables: &Variables,
    elements: usize,
    objective: &dyn Fn() -> Result<Tensor>,
) {
    let all = variables.all();
    let value = subject.expect(promise, objective());
    let backward = subject.expect(promise, gradients(&value, &all));
    for ((name, variable), gradient) in all.iter().zip(backward) {
        let original = subject.expect(promise, copied(variable));
        let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()));
        let stride = gradient.len().div_ceil(elements).max(1);
        for index in (0..gradient.len()).step_by(stride).chain(largest) {
            let at = |shift: f64| {
                let mut moved = original.clone();
                moved[index] += shift;
                variables.set(name, &Tensor::from_vec(moved, variable.shape(), variable.device())?)?;
                Ok(objective()?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
            };
            let (above, below) = (subject.expect(promise, at(STEP)), subject.expect(promise, at(-STEP)));
            let difference = (above - below) / (2.0 * STEP);
            let near = (gradient[index] - difference).abs() <= TOLERANCE * (1.0 + difference.abs());
            subject.demand(promise, near, || {
                format!("at {name}[{index}] the gradient is {} and the finite difference {difference}", gradient[index])
            });
        }
        let restored = Tensor::from_vec(original, variable.shape(), variable.device());
        subject.expect(promise, restored.map_err(Into::into).and_then(|tensor| variables.set(name, &tensor)));
    }
}

fn copied(variable: &Var) -> Result<Vec<f64>> {
    Ok(variable.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
