//! The arithmetic of a layer for some sequences: one thread does all of it, so that what it makes stays in its cache.

use std::borrow::Cow;

use super::Layer;
use crate::ops::attention::{AttentionPlan, Part};
use crate::ops::cpu::Real;
use crate::ops::product::{Matrix, multiplied, project, project_onto};
use crate::ops::rope::{self, Rotation, Turn};
use crate::ops::rows::{gathered, scatter};
use crate::ops::{attention_kernel, rms_norm, swiglu};

/// The numbers of a layer's weights.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a, T> {
    pub input_norm: &'a [T],
    pub query_key_value: &'a [T],
    pub output: &'a [T],
    pub feed_forward_norm: &'a [T],
    pub gate_up: &'a [T],
    pub down: &'a [T],
}

impl<'a, T: Real> Numbers<'a, T> {
    /// From the order of [`super::LayerWeights::in_order`].
    pub fn new([input_norm, query_key_value, output, feed_forward_norm, gate_up, down]: [&'a [T]; 6]) -> Self {
        Self { input_norm, query_key_value, output, feed_forward_norm, gate_up, down }
    }

    fn query(&self, d_model: usize) -> &'a [T] {
        &self.query_key_value[..d_model * d_model]
    }
}

/// What the backward pass of a part cannot cheaply compute again, for the rows that it works on.
pub(super) struct Kept<T> {
    plan: AttentionPlan,
    positions: Vec<u32>,
    /// Places of these rows in the part; `None` stands for all.
    places: Option<Vec<u32>>,
    query: Vec<T>,
    attended: Vec<T>,
    middle: Vec<T>,
    gate_up: Vec<T>,
}

/// What a part of a layer is computed with.
pub(super) struct Computation<'a, T> {
    pub layer: &'a Layer,
    pub numbers: Numbers<'a, T>,
    pub rotation: &'a Rotation,
    /// Keys and values of all rows.
    pub keys_values: &'a [T],
}

/// Gradients by the results of products with weights, with the other operands of these products.
pub(super) struct Cotangents<'a, T: Real> {
    pub kept: &'a Kept<T>,
    pub dresult: Cow<'a, [T]>,
    pub hidden: Vec<T>,
    pub dgate_up: Vec<T>,
    pub middle_normed: Vec<T>,
    pub dmiddle: Vec<T>,
    pub dquery: Vec<T>,
    pub states_normed: Vec<T>,
    /// This part's share of the gradients of the two norms' weights.
    pub norms: [Vec<T>; 2],
}

impl<T: Real> Cotangents<'_, T> {
    /// The results of attention that were kept.
    pub fn attended(&self) -> &[T] {
        &self.kept.attended
    }
}

impl<T: Real> Computation<'_, T> {
    fn epsilon(&self) -> T {
        T::from_f64(self.layer.epsilon)
    }

    /// Writes the layer's result for the part's `states` to `result`. Keeps what the backward pass needs for the rows at
    /// `places` of the part, all where there are none, and nothing unless `tracked`.
    pub fn forward(
        &self,
        part: Part,
        positions: &[u32],
        states: &[T],
        result: &mut [T],
        places: Option<Vec<u32>>,
        tracked: bool,
    ) -> Option<Kept<T>> {
        let Layer { d_model, d_ff, heads, .. } = *self.layer;
        let (numbers, epsilon) = (&self.numbers, self.epsilon());
        let normed = rms_norm::forward(states, numbers.input_norm, epsilon);
        let mut query = project(&normed, numbers.query(d_model), d_model);
        rope::rotate(&mut query, (d_model, d_model), positions, self.rotation, Turn::Forward);
        let attended = attention_kernel::forward(&part.plan, heads, &query, self.keys_values, d_model);
        let mut middle = states.to_vec();
        project_onto(&mut middle, &attended, numbers.output, d_model);
        let normed = rms_norm::forward(&middle, numbers.feed_forward_norm, epsilon);
        let gate_up = project(&normed, numbers.gate_up, d_model);
        let hidden = swiglu::forward(&gate_up, d_ff);
        result.copy_from_slice(&middle);
        project_onto(result, &hidden, numbers.down, d_ff);
        if !tracked || places.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let some = |values: Vec<T>, width: usize| match &places {
            Some(places) => gathered(&values, places, width),
            None => values,
        };
        Some(Kept {
            query: some(query, d_model),
            attended: some(attended, d_model),
            middle: some(middle, d_model),
            gate_up: some(gate_up, 2 * d_ff),
            positions: match &places {
                Some(places) => places.iter().map(|place| positions[*place as usize]).collect(),
                None => positions.to_vec(),
            },
            plan: match &places {
                Some(places) => part.plan.subset(places),
                None => part.plan,
            },
            places,
        })
    }

    /// Writes the gradient of the part's `states` to `dstates`, and to `dkeys_values` that of the rows of keys and values
    /// from `first_key` on. What is written to must be zero.
    pub fn backward<'k>(
        &self,
        kept: &'k Kept<T>,
        states: &[T],
        grad: &'k [T],
        dstates: &mut [T],
        (dkeys_values, first_key): (&mut [T], usize),
    ) -> Cotangents<'k, T> {
        let Layer { d_model, d_ff, heads, .. } = *self.layer;
        let (numbers, epsilon) = (&self.numbers, self.epsilon());
        let some = |values: &'k [T]| match &kept.places {
            Some(places) => Cow::Owned(gathered(values, places, d_model)),
            None => Cow::Borrowed(values),
        };
        let dresult = some(grad);
        let gathered_states = kept.places.as_ref().map(|places| gathered(states, places, d_model));
        let states = gathered_states.as_deref().unwrap_or(states);
        let through = |outputs: &[T], width: usize, weight: &[T], inputs: usize| {
            multiplied(Matrix::new(outputs, width), Matrix::new(weight, inputs))
        };
        let mut norms = [vec![T::zero(); d_model], vec![T::zero(); d_model]];
        // result = middle + hidden downᵀ
        let dhidden = through(&dresult, d_model, numbers.down, d_ff);
        let (hidden, dgate_up) = swiglu::backward(&kept.gate_up, &dhidden, d_ff);
        drop(dhidden);
        // gate_up = norm(middle) gate_upᵀ
        let middle_normed = rms_norm::forward(&kept.middle, numbers.feed_forward_norm, epsilon);
        let dnormed = through(&dgate_up, 2 * d_ff, numbers.gate_up, d_model);
        let mut dmiddle = dresult.to_vec();
        let norm = numbers.feed_forward_norm;
        rms_norm::backward_onto(&mut dmiddle, &mut norms[1], &kept.middle, norm, &dnormed, epsilon);
        // middle = states + attended outputᵀ
        let dattended = through(&dmiddle, d_model, numbers.output, d_model);
        let operands = (&*kept.query, self.keys_values, &*dattended);
        let mut dquery = attention_kernel::backward(&kept.plan, heads, operands, (dkeys_values, first_key), d_model);
        rope::rotate(&mut dquery, (d_model, d_model), &kept.positions, self.rotation, Turn::Backward);
        // query = norm(states) query_weightᵀ
        let states_normed = rms_norm::forward(states, numbers.input_norm, epsilon);
        let dnormed = through(&dquery, d_model, numbers.query(d_model), d_model);
        let mut dsome = dmiddle.clone();
        rms_norm::backward_onto(&mut dsome, &mut norms[0], states, numbers.input_norm, &dnormed, epsilon);
        match &kept.places {
            Some(places) => scatter(dstates, places, &dsome, d_model),
            None => dstates.copy_from_slice(&dsome),
        }
        Cotangents { kept, dresult, hidden, dgate_up, middle_normed, dmiddle, dquery, states_normed, norms }
    }
}
