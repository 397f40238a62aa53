//! Everything of a layer but its keys and values, for rows that attend to entries of a cache; forward only.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::keys_values;
use super::packed::Packed;
use super::{Layer, LayerPass, LayerWeights};
use crate::ops::cached_attention::{self, cached_attention};
use crate::ops::cpu::{self, dispatch};
use crate::ops::lane_sums::LaneSums;
use crate::ops::product::{project, project_onto};
use crate::ops::rope::{self, Turn};
use crate::ops::{KeyValueEntries, rms_norm, swiglu};

pub(super) fn apply(
    pass: &LayerPass,
    states: &Tensor,
    positions: &Arc<Vec<u32>>,
    entries: &KeyValueEntries,
    seen: &[&[u32]],
) -> Result<Tensor> {
    let layer = &pass.layer;
    let expected = [seen.len(), layer.d_model];
    if states.dims() != expected || positions.len() != seen.len() || entries.width() != layer.d_model {
        candle_core::bail!(
            "layer: expected states {expected:?} at as many positions and entries as wide, found states {:?} at {} \
             positions and entries of width {}",
            states.dims(),
            positions.len(),
            entries.width()
        );
    }
    if !cpu::fused(states) {
        return composed(layer, states, positions, entries, seen);
    }
    if states.dtype() == DType::F32 {
        let packed = Packed::of(layer)?;
        let result = cpu::with::<f32, _>(states, |states| packed.attend(layer, states, positions, entries, seen))?;
        return Tensor::from_vec(result, states.shape(), states.device());
    }
    dispatch!("layer-attend-cached", states.dtype(), T => {
        let result = cpu::with::<T, _>(states, |states| forward::<T>(layer, states, positions, entries, seen))?;
        Tensor::from_vec(result, states.shape(), states.device())
    })
}

pub(super) fn keys_values(pass: &LayerPass, states: &Tensor, positions: &Arc<Vec<u32>>) -> Result<Tensor> {
    let layer = &pass.layer;
    if !cpu::fused(states) || states.dtype() != DType::F32 || states.dims() != [positions.len(), layer.d_model] {
        return Ok(keys_values::apply(pass, states, positions, None)?.detach());
    }
    let packed = Packed::of(layer)?;
    let result = cpu::with::<f32, _>(states, |states| Ok(packed.keys_values(layer, states, positions)))?;
    Tensor::from_vec(result, (positions.len(), 2 * layer.d_model), states.device())
}

fn composed(
    layer: &Layer,
    states: &Tensor,
    positions: &Arc<Vec<u32>>,
    entries: &KeyValueEntries,
    seen: &[&[u32]],
) -> Result<Tensor> {
    let (weights, states) = (&layer.weights, states.detach());
    let normed = rms_norm::rms_norm(&states, &weights.input_norm, layer.epsilon)?;
    let query = normed.matmul(&weights.query_key_value.narrow(0, 0, layer.d_model)?.t()?)?;
    let query = rope::rope(&query, positions, &layer.rope)?;
    let attended = cached_attention(&query, entries, seen)?;
    let middle = (states + attended.matmul(&weights.output.t()?)?)?;
    let normed = rms_norm::rms_norm(&middle, &weights.feed_forward_norm, layer.epsilon)?;
    let hidden = swiglu::swiglu(&normed.matmul(&weights.gate_up.t()?)?)?;
    Ok((&middle + hidden.matmul(&weights.down.t()?)?)?.detach())
}

fn forward<T: LaneSums>(
    layer: &Layer,
    states: &[T],
    positions: &[u32],
    entries: &KeyValueEntries,
    seen: &[&[u32]],
) -> Result<Vec<T>> {
    let Layer { d_model, d_ff, epsilon, weights, .. } = layer;
    let (d_model, d_ff, epsilon) = (*d_model, *d_ff, T::from_f64(*epsilon));
    let LayerWeights { input_norm, query_key_value, output, feed_forward_norm, gate_up, down } = weights;
    let operands = [input_norm, query_key_value, output, feed_forward_norm, gate_up, down];
    cpu::with_all::<T, _, 6>(operands, |[input_norm, qkv, output, feed_forward_norm, gate_up, down]| {
        let normed = rms_norm::forward(states, input_norm, epsilon);
        let mut query = project(&normed, &qkv[..d_model * d_model], d_model);
        let rotation = layer.rope.rotation(positions);
        rope::rotate(&mut query, (d_model, d_model), positions, &rotation, Turn::Forward);
        let attended = cached_attention::forward(&query, entries, seen)?;
        let mut middle = states.to_vec();
        project_onto(&mut middle, &attended, output, d_model);
        let normed = rms_norm::forward(&middle, feed_forward_norm, epsilon);
        let hidden = swiglu::forward(&project(&normed, gate_up, d_model), d_ff);
        project_onto(&mut middle, &hidden, down, d_ff);
        Ok(middle)
    })
}
