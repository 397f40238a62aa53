//! A layer without its keys and values, for rows that attend to entries of a cache; forward pass only.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::packed::Way;
use super::{Layer, LayerPass};
use crate::cached_attention::{self, cached_attention};
use crate::cpu::{self, dispatch};
use crate::lane_sums::LaneSums;
use crate::operands::unless_empty;
use crate::product::{multiplied, multiply};
use crate::rope::{self, Turn};
use crate::scratch::Scratch;
use crate::{KeyValueEntries, rms_norm, swiglu};

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
        return unless_empty(states, states.shape(), || composed(layer, states, positions, entries, seen));
    }
    dispatch!("layer-attend-cached", states.dtype(), T => {
        let result = cpu::with::<T, _>(states, |states| forward::<T>(layer, states, positions, entries, seen))?;
        Tensor::from_vec(result, states.shape(), states.device())
    })
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
    let Layer { d_model, d_ff, weights, .. } = layer;
    let (d_model, epsilon, matrices) = (*d_model, T::from_f64(layer.epsilon), layer.matrices(Way::Forward)?);
    cpu::with_all::<T, _, 2>([&weights.input_norm, &weights.feed_forward_norm], |[input_norm, norm]| {
        let mut normed = Scratch::of(states.len());
        rms_norm::forward(&mut normed, states, input_norm, epsilon);
        let mut query = multiplied(&normed, &matrices.query);
        let rotation = layer.rope.rotation(positions);
        rope::rotate(&mut query, (d_model, d_model), positions, &rotation, Turn::Forward);
        let attended = cached_attention::forward(&query, entries, seen)?;
        let mut result = states.to_vec();
        multiply(&mut result, &attended, &matrices.output, true);
        rms_norm::forward(&mut normed, &result, norm, epsilon);
        let mut hidden = Scratch::of(seen.len() * d_ff);
        swiglu::forward(&mut hidden, &multiplied(&normed, &matrices.gate_up), *d_ff);
        multiply(&mut result, &hidden, &matrices.down, true);
        Ok(result)
    })
}
