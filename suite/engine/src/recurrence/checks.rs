//! Checks values that a policy returned: an error message names the policy.

use haltbench_sdk::candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::model::Model;

/// The numbers of `tensor`, which must have the shape `shape` and be finite.
pub fn numbers(model: &Model, what: &str, tensor: &Tensor, shape: &[usize]) -> Result<Vec<f64>> {
    if tensor.dims() != shape {
        return Err(model.broken(format!("{what} have the shape {:?}, expected {shape:?}", tensor.dims())));
    }
    let values: Vec<f64> = tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            let found = format!("{what} are not finite ({} at index {index})", values[index]);
            Err(if is_recorded(model) { overflown(model, &found) } else { model.broken(found) })
        }
        None => Ok(values),
    }
}

/// Whether the states come from a trace.
fn is_recorded(model: &Model) -> bool {
    model.backbone_declaration.is_none()
}

/// The error for numbers that are not finite although the states and weights of the trace are.
fn overflown(model: &Model, found: &str) -> Error {
    let (name, dtype) = (model.declaration.name, model.dtype.as_str());
    let remedy = if model.dtype == DType::F32 { "; write them as f64" } else { "" };
    Error::Usage(format!(
        "policy {name}: {found}: expected states, logits and weights in the trace that do not overflow {dtype}{remedy}"
    ))
}

/// Sum of absolute values above which states have diverged.
const DIVERGED: f64 = 1e15;

/// [`numbers`] that a policy computed from `states`. If they are not finite because the states have diverged, the error
/// blames the model, not the policy.
pub fn judged(model: &Model, what: &str, tensor: &Tensor, shape: &[usize], states: &Tensor) -> Result<Vec<f64>> {
    numbers(model, what, tensor, shape).map_err(|error| {
        if is_recorded(model) {
            return error;
        }
        let largest =
            states.detach().abs().and_then(|states| states.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>());
        match largest {
            Ok(sum) if sum.is_nan() || sum > DIVERGED => Error::Cell(format!(
                "the model's states sum to {sum:e}: training has diverged, a lower training.learning_rate may help"
            )),
            _ => error,
        }
    })
}

/// Checks that there are `rows` depths within 1..=D. A policy that repeats another's depths may also have 0, because a
/// selecting policy may never choose a token.
pub fn depths(model: &Model, depths: Vec<u32>, rows: usize) -> Result<Vec<u32>> {
    let least = u32::from(!model.declaration.source.has_depths());
    if depths.len() != rows {
        return Err(model.broken(format!("{} depths for {rows} rows", depths.len())));
    }
    match depths.iter().find(|depth| !(least..=model.max_depth as u32).contains(depth)) {
        Some(depth) => Err(model.broken(format!("depth {depth} is outside {least}..={}", model.max_depth))),
        None => Ok(depths),
    }
}

/// Checks that there is one flag for each of `rows` rows.
pub fn flags(model: &Model, what: &str, flags: Vec<bool>, rows: usize) -> Result<Vec<bool>> {
    if flags.len() != rows {
        return Err(model.broken(format!("{} {what} for {rows} rows", flags.len())));
    }
    Ok(flags)
}

/// Checks that there is one score, possibly NaN, for each of `rows` rows.
pub fn scores(model: &Model, scores: Vec<f64>, rows: usize) -> Result<Vec<f64>> {
    if scores.len() != rows {
        return Err(model.broken(format!("{} scores for {rows} rows", scores.len())));
    }
    Ok(scores)
}

/// Checks that a tensor has the shape `shape`.
pub fn shape(model: &Model, what: &str, tensor: &Tensor, shape: &[usize]) -> Result<()> {
    if tensor.dims() != shape {
        return Err(model.broken(format!("{what} have the shape {:?}, expected {shape:?}", tensor.dims())));
    }
    Ok(())
}

/// Probabilities of the depths from one row of logits.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::MIN, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    exponentials.iter().map(|exponential| exponential / total).collect()
}

/// sigmoid(x)
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
