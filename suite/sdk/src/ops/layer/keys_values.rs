//! Keys and values: RMSNorm, projection, rotation of the keys.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::{INPUT_NORM, Layer, LayerPass, QUERY_KEY_VALUE};
use crate::ops::cpu::{self, Real, dispatch};
use crate::ops::product::{Matrix, multiplied, multiply, project};
use crate::ops::rms_norm;
use crate::ops::rope::{self, Rotation, Turn};
use crate::ops::rows::{gathered, scatter};

pub(super) fn apply(
    pass: &LayerPass,
    states: &Tensor,
    positions: &Arc<Vec<u32>>,
    known: Option<(&Tensor, &Arc<[u32]>)>,
) -> Result<Tensor> {
    let layer = &pass.layer;
    if states.dims() != [positions.len(), layer.d_model] {
        candle_core::bail!("layer: {} positions for states {:?}", positions.len(), states.dims());
    }
    if !cpu::fused(states) {
        return composed(layer, states, positions);
    }
    let operation = KeysValues {
        layer: layer.clone(),
        positions: positions.clone(),
        rotation: layer.rope.rotation(positions),
        known: known.map(|(values, moved)| (values.detach(), moved.clone())),
    };
    states.contiguous()?.apply_op2(&pass.token, operation)
}

pub(super) fn composed(layer: &Layer, states: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
    let d_model = layer.d_model;
    let normed = rms_norm::rms_norm(states, &layer.weights.input_norm, layer.epsilon)?;
    let weight = layer.weights.query_key_value.narrow(0, d_model, 2 * d_model)?;
    let both = normed.matmul(&weight.t()?)?;
    let keys = rope::rope(&both.narrow(1, 0, d_model)?.contiguous()?, positions, &layer.rope)?;
    Tensor::cat(&[keys, both.narrow(1, d_model, d_model)?], 1)
}

struct KeysValues {
    layer: Arc<Layer>,
    positions: Arc<Vec<u32>>,
    rotation: Rotation,
    known: Option<(Tensor, Arc<[u32]>)>,
}

impl KeysValues {
    fn compute<T: Real>(&self, states: &[T], positions: &[u32]) -> Result<Vec<T>> {
        let (d_model, weights) = (self.layer.d_model, &self.layer.weights);
        cpu::with_all::<T, _, 2>([&weights.input_norm, &weights.query_key_value], |[norm, weight]| {
            let normed = rms_norm::forward(states, norm, T::from_f64(self.layer.epsilon));
            let mut result = project(&normed, &weight[d_model * d_model..], d_model);
            rope::rotate(&mut result, (2 * d_model, d_model), positions, &self.rotation, Turn::Forward);
            Ok(result)
        })
    }

    fn forward<T: Real>(&self, states: &[T]) -> Result<Vec<T>> {
        let Some((known, moved)) = &self.known else { return self.compute(states, &self.positions) };
        let d_model = self.layer.d_model;
        let positions: Vec<u32> = moved.iter().map(|row| self.positions[*row as usize]).collect();
        let new = self.compute(&gathered(states, moved, d_model), &positions)?;
        let mut result = cpu::with::<T, _>(known, |known| Ok(known.to_vec()))?;
        scatter(&mut result, moved, &new, 2 * d_model);
        Ok(result)
    }

    fn backward<T: Real>(&self, states: &[T], grad: &[T]) -> Result<Vec<T>> {
        let Layer { d_model, weights, sums, epsilon, .. } = &*self.layer;
        let (d_model, epsilon) = (*d_model, T::from_f64(*epsilon));
        let mut grad = grad.to_vec();
        rope::rotate(&mut grad, (2 * d_model, d_model), &self.positions, &self.rotation, Turn::Backward);
        cpu::with_all::<T, _, 2>([&weights.input_norm, &weights.query_key_value], |[norm, weight]| {
            let normed = rms_norm::forward(states, norm, epsilon);
            let (from, inputs) = (d_model * d_model, Matrix::new(&normed, d_model));
            let outputs = Matrix::new(&grad, 2 * d_model);
            let dnormed = multiplied(outputs, Matrix::new(&weight[from..], d_model));
            sums.add::<T>(QUERY_KEY_VALUE, weight.len(), |sum| {
                multiply(&mut sum[from..], outputs.transposed(), inputs, true);
            });
            let mut dstates = vec![T::zero(); states.len()];
            sums.add::<T>(INPUT_NORM, d_model, |sum| {
                rms_norm::backward_onto(&mut dstates, sum, states, norm, &dnormed, epsilon);
            });
            Ok(dstates)
        })
    }
}

impl CustomOp2 for KeysValues {
    fn name(&self) -> &'static str {
        "layer-keys-values"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("layer-keys-values", x.dtype(), T => {
            let result = self.forward(cpu::slice::<T>(x, xl)?)?;
            Ok(cpu::stored(result, (self.positions.len(), 2 * self.layer.d_model)))
        })
    }

    fn bwd(&self, x: &Tensor, token: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!("layer-keys-values", x.dtype(), T => {
            let dx = cpu::with_all::<T, _, 2>([x, grad], |[x, grad]| self.backward(x, grad))?;
            Ok((cpu::gradient(dx, x)?, Some(token.zeros_like()?)))
        })
    }
}
