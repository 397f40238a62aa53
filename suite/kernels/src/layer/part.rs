//! The arithmetic of a layer for some sequences, all on one thread, so that intermediate results stay in its cache.

use super::Layer;
use super::packed::Matrices;
use crate::attention::{AttentionPlan, Part};
use crate::cpu::Real;
use crate::product::{Panels, TALL, multiplied, multiply};
use crate::rope::{self, Rotation, Turn};
use crate::rows::{gathered, scatter};
use crate::scratch::Scratch;
use crate::{attention, rms_norm, swiglu};

/// Activations that the backward pass of a part cannot recompute cheaply.
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

/// Inputs of a part of a layer.
pub(super) struct Computation<'a, T> {
    pub layer: &'a Layer,
    pub matrices: &'a Matrices<T>,
    /// The weights of the norms before attention and before the feed-forward part.
    pub norms: [&'a [T]; 2],
    pub rotation: &'a Rotation,
    /// Keys and values of all rows.
    pub keys_values: &'a [T],
}

/// Gradients of the results of products with weights, and the other operands of these products.
pub(super) struct Cotangents<T> {
    pub dresult: Panels<T, TALL>,
    pub hidden: Panels<T>,
    pub dgate_up: Panels<T, TALL>,
    pub middle_normed: Panels<T>,
    pub dmiddle: Panels<T, TALL>,
    pub attended: Panels<T>,
    pub dquery: Panels<T, TALL>,
    pub states_normed: Panels<T>,
    /// This part's share of the gradients of the two norms' weights.
    pub norms: [Vec<T>; 2],
}

impl<T: Real> Computation<'_, T> {
    fn epsilon(&self) -> T {
        T::from_f64(self.layer.epsilon)
    }

    /// Writes the layer's result for the part's `states` to `result`. If `tracked`, keeps what the backward pass needs
    /// for the rows at `places` of the part, or for all rows without `places`.
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
        let (matrices, [input_norm, norm], epsilon) = (self.matrices, self.norms, self.epsilon());
        let mut normed = Scratch::of(states.len());
        rms_norm::forward(&mut normed, states, input_norm, epsilon);
        let mut query = multiplied(&normed, &matrices.query);
        rope::rotate(&mut query, (d_model, d_model), positions, self.rotation, Turn::Forward);
        let mut attended = Scratch::of(states.len());
        attention::kernel::forward(&mut attended, &part.plan, heads, (&query, self.keys_values), d_model);
        let mut middle = Scratch::copy(states);
        multiply(&mut middle, &attended, &matrices.output, true);
        rms_norm::forward(&mut normed, &middle, norm, epsilon);
        let gate_up = multiplied(&normed, &matrices.gate_up);
        let mut hidden = Scratch::of(positions.len() * d_ff);
        swiglu::forward(&mut hidden, &gate_up, d_ff);
        let mut sum = Scratch::copy(&middle);
        multiply(&mut sum, &hidden, &matrices.down, true);
        result.copy_from_slice(&sum);
        if !tracked || places.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let some = |values: &[T], width: usize| match &places {
            Some(places) => gathered(values, places, width),
            None => values.to_vec(),
        };
        Some(Kept {
            query: some(&query, d_model),
            attended: some(&attended, d_model),
            middle: some(&middle, d_model),
            gate_up: some(&gate_up, 2 * d_ff),
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

    /// Writes the gradient of the part's `states` to `dstates`, and the gradient of keys and values, from row
    /// `first_key` on, to `dkeys_values`. Both must be zero before.
    pub fn backward(
        &self,
        kept: Kept<T>,
        states: &[T],
        grad: &[T],
        dstates: &mut [T],
        (dkeys_values, first_key): (&mut [T], usize),
    ) -> Cotangents<T> {
        let Layer { d_model, d_ff, heads, .. } = *self.layer;
        let (matrices, [input_norm, norm], epsilon) = (self.matrices, self.norms, self.epsilon());
        let some = |values| kept.places.as_ref().map(|places| gathered(values, places, d_model));
        let (some_grad, some_states) = (some(grad), some(states));
        let (dresult, states) = (some_grad.as_deref().unwrap_or(grad), some_states.as_deref().unwrap_or(states));
        let mut norms = [vec![T::zero(); d_model], vec![T::zero(); d_model]];
        // result = middle + hidden downᵀ
        // What is kept is far away: it is read once, and what is made of it stays near.
        let (mut dgate_up, mut hidden) = (Scratch::copy(&kept.gate_up), multiplied(dresult, &matrices.down));
        drop(kept.gate_up);
        swiglu::backward(&mut dgate_up, &mut hidden, d_ff);
        let hidden = Panels::of(&hidden, d_ff);
        // gate_up = norm(middle) gate_upᵀ
        let mut normed = Scratch::of(kept.middle.len());
        rms_norm::forward(&mut normed, &kept.middle, norm, epsilon);
        let middle_normed = Panels::of(&normed, d_model);
        let dnormed = multiplied(&dgate_up, &matrices.gate_up);
        let dgate_up = Panels::of(&dgate_up, 2 * d_ff);
        let mut dmiddle = Scratch::copy(dresult);
        rms_norm::backward_onto(&mut dmiddle, &mut norms[1], &kept.middle, norm, &dnormed, epsilon);
        // middle = states + attended outputᵀ
        let dattended = multiplied(&dmiddle, &matrices.output);
        let operands = (&*kept.query, self.keys_values, &*dattended);
        let mut dquery = Scratch::of(kept.query.len());
        attention::kernel::backward(&mut dquery, &kept.plan, heads, operands, (dkeys_values, first_key), d_model);
        rope::rotate(&mut dquery, (d_model, d_model), &kept.positions, self.rotation, Turn::Backward);
        // query = norm(states) query_weightᵀ
        rms_norm::forward(&mut normed, states, input_norm, epsilon);
        let states_normed = Panels::of(&normed, d_model);
        let dnormed = multiplied(&dquery, &matrices.query);
        let mut dsome = Scratch::copy(&dmiddle);
        rms_norm::backward_onto(&mut dsome, &mut norms[0], states, input_norm, &dnormed, epsilon);
        match &kept.places {
            Some(places) => scatter(dstates, places, &dsome, d_model),
            None => dstates.copy_from_slice(&dsome),
        }
        let attended = Panels::of(&kept.attended, d_model);
        let (dresult, dmiddle) = (Panels::of(dresult, d_model), Panels::of(&dmiddle, d_model));
        let dquery = Panels::of(&dquery, d_model);
        Cotangents { dresult, hidden, dgate_up, middle_normed, dmiddle, attended, dquery, states_normed, norms }
    }
}
