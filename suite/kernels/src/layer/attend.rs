//! A layer without its keys and values: queries, attention, output projection, feed-forward part.

use std::any::Any;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::packed::Way;
use super::part::{Computation, Cotangents, Kept};
use super::{Backward, LEAST, Layer, LayerPass, PART};
use crate::attention::{AttentionPlan, Part, causal_attention};
use crate::cpu::{self, Real, accumulate, dispatch};
use crate::operands::unless_empty;
use crate::product::{OuterProducts, Term, add_outer_products};
use crate::rope::{self, Rotation};
use crate::rows::split;
use crate::threads;
use crate::{rms_norm, swiglu};

pub(super) fn apply(
    pass: &LayerPass,
    states: &Tensor,
    keys_values: &Tensor,
    positions: &Arc<Vec<u32>>,
    plan: &Arc<AttentionPlan>,
    backward: Backward,
) -> Result<Tensor> {
    let layer = &pass.layer;
    let expected = (vec![plan.queries(), layer.d_model], vec![plan.rows(), 2 * layer.d_model]);
    if (states.dims(), keys_values.dims()) != (&expected.0, &expected.1) || positions.len() != plan.queries() {
        candle_core::bail!(
            "layer: expected states {:?} and keys and values {:?}, found {:?} and {:?}",
            expected.0,
            expected.1,
            states.dims(),
            keys_values.dims()
        );
    }
    if !cpu::fused(states) {
        return unless_empty(states, states.shape(), || composed(layer, states, keys_values, positions, plan));
    }
    let tracked = states.track_op() || keys_values.track_op() || pass.token.track_op();
    let operation = Attend {
        layer: layer.clone(),
        positions: positions.clone(),
        rotation: layer.rope.rotation(positions),
        plan: plan.clone(),
        differentiated: backward.places.filter(|places| places.len() < plan.queries()).cloned(),
        keeps: tracked && !backward.recompute,
        recompute: backward.recompute,
        kept: Mutex::new(None),
    };
    states.contiguous()?.apply_op3(&keys_values.contiguous()?, &pass.token, operation)
}

pub(super) fn composed(
    layer: &Layer,
    states: &Tensor,
    keys_values: &Tensor,
    positions: &Arc<Vec<u32>>,
    plan: &Arc<AttentionPlan>,
) -> Result<Tensor> {
    let weights = &layer.weights;
    let normed = rms_norm::rms_norm(states, &weights.input_norm, layer.epsilon)?;
    let query = normed.matmul(&weights.query_key_value.narrow(0, 0, layer.d_model)?.t()?)?;
    let query = rope::rope(&query, positions, &layer.rope)?;
    let attended = causal_attention(&query, keys_values, layer.heads, plan)?;
    let middle = (states + attended.matmul(&weights.output.t()?)?)?;
    let normed = rms_norm::rms_norm(&middle, &weights.feed_forward_norm, layer.epsilon)?;
    let hidden = swiglu::swiglu(&normed.matmul(&weights.gate_up.t()?)?)?;
    &middle + hidden.matmul(&weights.down.t()?)?
}

/// Number of parts whose gradients are prepared before they are added to the weights' gradients: more parts would need
/// as much memory as the forward pass keeps.
const GROUP: usize = 16;

struct Attend {
    layer: Arc<Layer>,
    positions: Arc<Vec<u32>>,
    rotation: Rotation,
    plan: Arc<AttentionPlan>,
    /// Places of the rows with a backward pass; `None` means all.
    differentiated: Option<Arc<[u32]>>,
    /// Whether the forward pass keeps activations for the backward pass.
    keeps: bool,
    /// Whether the backward pass recomputes activations.
    recompute: bool,
    /// A `Vec<Saved<T>>`.
    kept: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A part of the batch, with the activations kept by its forward pass.
struct Saved<T> {
    queries: Range<usize>,
    keys: Range<usize>,
    kept: Option<Kept<T>>,
}

impl Attend {
    /// Places within a part of the rows with a backward pass.
    fn places(&self, queries: &Range<usize>) -> Option<Vec<u32>> {
        let inside = |places: &Arc<[u32]>| {
            let place = |limit: usize| places.partition_point(|place| (*place as usize) < limit);
            places[place(queries.start)..place(queries.end)].iter().map(|place| place - queries.start as u32).collect()
        };
        self.differentiated.as_ref().map(inside)
    }

    fn with_computation<T: Real, R>(
        &self,
        way: Way,
        keys_values: &[T],
        work: impl FnOnce(Computation<T>) -> R,
    ) -> Result<R> {
        let matrices = self.layer.matrices(way)?;
        let weights = &self.layer.weights;
        cpu::with_all::<T, _, 2>([&weights.input_norm, &weights.feed_forward_norm], |norms| {
            Ok(work(Computation { layer: &self.layer, matrices, norms, rotation: &self.rotation, keys_values }))
        })
    }

    /// The layer's result, and the activations for the backward pass if `keeps`.
    fn compute<T: Real>(&self, states: &[T], keys_values: &[T], keeps: bool) -> Result<(Vec<T>, Vec<Saved<T>>)> {
        let d_model = self.layer.d_model;
        let mut result = threads::zeros(states.len());
        // Gradients are summed over the parts later, so the parts must not depend on the threads.
        let parts = if keeps {
            self.plan.parts(PART)
        } else {
            let rows = self.positions.len();
            self.plan.even_parts(rows.div_ceil(threads::even_share(rows, LEAST, PART)))
        };
        let mut saved: Vec<Saved<T>> = parts
            .iter()
            .map(|part| Saved { queries: part.queries.clone(), keys: part.keys.clone(), kept: None })
            .collect();
        let results = split(&mut result, saved.iter().map(|part| part.queries.clone()), d_model);
        let work = parts.into_iter().zip(&mut saved).zip(results).collect();
        self.with_computation(Way::Forward, keys_values, |computation| {
            threads::for_each(work, |((part, saved), result): ((Part, &mut Saved<T>), &mut [T])| {
                let Range { start, end } = part.queries;
                let (places, positions) = (self.places(&part.queries), &self.positions[start..end]);
                let states = &states[start * d_model..end * d_model];
                saved.kept = computation.forward(part, positions, states, result, places, keeps);
            });
        })?;
        Ok((result, saved))
    }

    fn forward<T: Real>(&self, states: &[T], keys_values: &[T]) -> Result<Vec<T>> {
        let (result, saved) = self.compute(states, keys_values, self.keeps)?;
        if self.keeps {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(saved));
        }
        Ok(result)
    }

    /// The activations kept by the forward pass, or recomputed.
    fn saved<T: Real>(&self, states: &[T], keys_values: &[T]) -> Result<Vec<Saved<T>>> {
        if self.recompute {
            return Ok(self.compute(states, keys_values, true)?.1);
        }
        let saved = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        match saved.and_then(|saved| saved.downcast().ok()) {
            Some(saved) => Ok(*saved),
            None => candle_core::bail!("layer: nothing is kept for a backward pass, which a graph allows once"),
        }
    }

    /// Gradients of the states and of keys and values.
    fn backward<T: Real>(&self, states: &[T], keys_values: &[T], grad: &[T]) -> Result<(Vec<T>, Vec<T>)> {
        let d_model = self.layer.d_model;
        let saved = self.saved(states, keys_values)?;
        let (mut dstates, mut dkeys_values) = (threads::zeros(states.len()), threads::zeros(keys_values.len()));
        let of_states = split(&mut dstates, saved.iter().map(|part| part.queries.clone()), d_model);
        let of_keys = split(&mut dkeys_values, saved.iter().map(|part| part.keys.clone()), 2 * d_model);
        type Work<'w, T> = (Saved<T>, (&'w mut [T], &'w mut [T]));
        let mut work: Vec<Work<T>> = saved.into_iter().zip(of_states.into_iter().zip(of_keys)).collect();
        work.reverse();
        let at_a_time = threads::items_at_a_time(GROUP);
        while !work.is_empty() {
            let group = work.split_off(work.len().saturating_sub(at_a_time));
            let mut cotangents: Vec<Option<Cotangents<T>>> = group.iter().map(|_| None).collect();
            let group = cotangents.iter_mut().zip(group.into_iter().rev()).collect();
            self.with_computation(Way::Backward, keys_values, |computation| {
                type Part<'w, T> = (&'w mut Option<Cotangents<T>>, Work<'w, T>);
                threads::for_each(group, |(cotangents, (saved, (dstates, dkeys_values))): Part<T>| {
                    let Some(kept) = saved.kept else { return };
                    let own = saved.queries.start * d_model..saved.queries.end * d_model;
                    let keys = (dkeys_values, saved.keys.start);
                    *cotangents = Some(computation.backward(kept, &states[own.clone()], &grad[own], dstates, keys));
                });
            })?;
            self.add_gradients(&cotangents.into_iter().flatten().collect::<Vec<_>>());
        }
        Ok((dstates, dkeys_values))
    }

    /// Adds the contributions of some parts to the gradients of the weights.
    fn add_gradients<T: Real>(&self, cotangents: &[Cotangents<T>]) {
        let d_model = self.layer.d_model;
        let lengths = self.layer.weights.in_order().map(Tensor::elem_count);
        self.layer.sums.add::<T>(lengths, |[input_norm, query_key_value, output, norm, gate_up, down]| {
            let query = &mut query_key_value[..d_model * d_model];
            let sum = |into, terms: &dyn for<'c> Fn(&'c Cotangents<T>) -> Term<'c, T>| OuterProducts {
                into,
                terms: cotangents.iter().map(terms).collect(),
            };
            add_outer_products(vec![
                sum(down, &|part| Term { left: &part.dresult, right: &part.hidden }),
                sum(gate_up, &|part| Term { left: &part.dgate_up, right: &part.middle_normed }),
                sum(output, &|part| Term { left: &part.dmiddle, right: &part.attended }),
                sum(query, &|part| Term { left: &part.dquery, right: &part.states_normed }),
            ]);
            for part in cotangents {
                accumulate(input_norm, &part.norms[0]);
                accumulate(norm, &part.norms[1]);
            }
        });
    }
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "layer-attend"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        kv: &CpuStorage,
        kvl: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!("layer-attend", x.dtype(), T => {
            let result = self.forward(cpu::slice::<T>(x, xl)?, cpu::slice::<T>(kv, kvl)?)?;
            Ok(cpu::stored(result, xl.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        kv: &Tensor,
        token: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!("layer-attend", x.dtype(), T => {
            let (dx, dkv) =
                cpu::with_all::<T, _, 3>([x, kv, grad], |[x, kv, grad]| self.backward(x, kv, grad))?;
            Ok((cpu::gradient(dx, x)?, cpu::gradient(dkv, kv)?, Some(token.zeros_like()?)))
        })
    }
}
