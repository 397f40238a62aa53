//! Keys and values: RMSNorm, projection, rotation of the keys.

use std::ops::Range;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::packed::Way;
use super::{LEAST, Layer, LayerPass, PART};
use crate::cpu::{self, Real, accumulate, dispatch};
use crate::operands::unless_empty;
use crate::product::{OuterProducts, Panels, TALL, Term, add_outer_products, multiplied};
use crate::rms_norm;
use crate::rope::{self, Rotation, Turn};
use crate::rows::{gathered, scatter};
use crate::scratch::Scratch;
use crate::threads;

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
        let shape = (positions.len(), 2 * layer.d_model);
        return unless_empty(states, shape, || composed(layer, states, positions));
    }
    let operation = KeysValues {
        layer: layer.clone(),
        positions: positions.clone(),
        rotation: layer.rope.rotation(positions),
        is_known_tracked: known.is_some_and(|(values, _)| values.track_op()),
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
    /// Whether the step that computed the known values has a backward pass, which runs after this one.
    is_known_tracked: bool,
}

impl KeysValues {
    fn with_weights<T: Real, R>(&self, way: Way, work: impl FnOnce(&[T], &Panels<T>) -> R) -> Result<R> {
        let matrices = self.layer.matrices(way)?;
        cpu::with::<T, _>(&self.layer.weights.input_norm, |norm| Ok(work(norm, &matrices.keys_values)))
    }

    fn compute<T: Real>(&self, states: &[T], positions: &[u32]) -> Result<Vec<T>> {
        let d_model = self.layer.d_model;
        let mut result = threads::zeros(2 * states.len());
        let share = threads::even_share(positions.len(), LEAST, PART);
        let work = result
            .chunks_mut(share * 2 * d_model)
            .zip(states.chunks(share * d_model).zip(positions.chunks(share)))
            .collect();
        self.with_weights(Way::Forward, |norm: &[T], weight: &Panels<T>| {
            threads::for_each(work, |(result, (states, positions)): (&mut [T], (&[T], &[u32]))| {
                let mut normed = Scratch::of(states.len());
                rms_norm::forward(&mut normed, states, norm, T::from_f64(self.layer.epsilon));
                let mut both = multiplied(&normed, weight);
                rope::rotate(&mut both, (2 * d_model, d_model), positions, &self.rotation, Turn::Forward);
                result.copy_from_slice(&both);
            });
        })?;
        Ok(result)
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

    /// Rows whose gradients enter the weights' gradients in this step; the gradients of the others wait for the step
    /// that computed them.
    fn meets(&self) -> Vec<bool> {
        let Some((_, moved)) = self.known.as_ref().filter(|_| self.is_known_tracked) else {
            return vec![true; self.positions.len()];
        };
        let mut meets = vec![false; self.positions.len()];
        moved.iter().for_each(|row| meets[*row as usize] = true);
        meets
    }

    fn backward<T: Real>(&self, states: &[T], grad: &[T]) -> Result<Vec<T>> {
        let Layer { d_model, weights, sums, waiting, epsilon, .. } = &*self.layer;
        let (d_model, epsilon) = (*d_model, T::from_f64(*epsilon));
        let mut dstates = threads::zeros(states.len());
        let mut parts: Vec<Option<Cotangents<T>>> = (0..self.positions.len().div_ceil(PART)).map(|_| None).collect();
        let meets = self.meets();
        self.with_weights(Way::Backward, |norm: &[T], weight: &Panels<T>| {
            waiting.with(grad.len(), meets.contains(&false), |waiting: &mut [T]| {
                let mut waiting = waiting.chunks_mut(PART * 2 * d_model);
                let mut work = Vec::with_capacity(parts.len());
                for (number, (cotangents, dstates)) in
                    parts.iter_mut().zip(dstates.chunks_mut(PART * d_model)).enumerate()
                {
                    let rows = number * PART..(number * PART + PART).min(self.positions.len());
                    work.push((rows, cotangents, dstates, waiting.next()));
                }
                type Work<'w, T> = (Range<usize>, &'w mut Option<Cotangents<T>>, &'w mut [T], Option<&'w mut [T]>);
                threads::for_each(work, |(rows, cotangents, dstates, waiting): Work<T>| {
                    let states = &states[rows.start * d_model..rows.end * d_model];
                    let mut outputs = Scratch::copy(&grad[rows.start * 2 * d_model..rows.end * 2 * d_model]);
                    let positions = &self.positions[rows.clone()];
                    rope::rotate(&mut outputs, (2 * d_model, d_model), positions, &self.rotation, Turn::Backward);
                    let mut normed = Scratch::of(states.len());
                    rms_norm::forward(&mut normed, states, norm, epsilon);
                    let dnormed = multiplied(&outputs, weight);
                    let mut dnorm = vec![T::zero(); d_model];
                    rms_norm::backward_onto(dstates, &mut dnorm, states, norm, &dnormed, epsilon);
                    let kept = match waiting {
                        Some(waiting) => settle([&mut outputs, &mut normed], waiting, &meets[rows], d_model),
                        None => rows.len(),
                    };
                    let outputs = Panels::of(&outputs[..kept * 2 * d_model], 2 * d_model);
                    let normed = Panels::of(&normed[..kept * d_model], d_model);
                    *cotangents = Some(Cotangents { outputs, normed, dnorm });
                });
            });
        })?;
        let parts: Vec<Cotangents<T>> = parts.into_iter().flatten().collect();
        let lengths = [d_model, weights.query_key_value.elem_count(), 0, 0, 0, 0];
        sums.add::<T>(lengths, |[input_norm, query_key_value, ..]| {
            let into = &mut query_key_value[d_model * d_model..];
            add_outer_products(vec![OuterProducts { into, terms: parts.iter().map(Cotangents::term).collect() }]);
            for part in &parts {
                accumulate(input_norm, &part.dnorm);
            }
        });
        Ok(dstates)
    }
}

/// Moves the rows that enter in this step to the start of `outputs` and `normed`, adds their waiting gradients, and
/// returns their number. Gradients of the other rows are left waiting.
fn settle<T: Real>([outputs, normed]: [&mut [T]; 2], waiting: &mut [T], meets: &[bool], d_model: usize) -> usize {
    let mut kept = 0;
    for (row, meets) in meets.iter().enumerate() {
        let range = row * 2 * d_model..(row + 1) * 2 * d_model;
        let (own, waiting) = (&mut outputs[range.clone()], &mut waiting[range.clone()]);
        if *meets {
            accumulate(own, waiting);
            waiting.fill(T::zero());
            outputs.copy_within(range, kept * 2 * d_model);
            normed.copy_within(row * d_model..(row + 1) * d_model, kept * d_model);
            kept += 1;
        } else {
            accumulate(waiting, own);
        }
    }
    kept
}

/// Gradient by the projections of some rows, with the other operand, and their share of the norm's gradient.
struct Cotangents<T> {
    outputs: Panels<T, TALL>,
    normed: Panels<T>,
    dnorm: Vec<T>,
}

impl<T> Cotangents<T> {
    fn term(&self) -> Term<'_, T> {
        Term { left: &self.outputs, right: &self.normed }
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
