//! A layer for decoding, f32 on the CPU: weights laid out once, and rows that are few.
//!
//! Many rows are shared out among threads, each of which takes its rows through the whole layer; few rows stay together, and
//! the outputs of each product are shared out instead, so that every thread reads a part of the weights alone.

use candle_core::Result;

use super::{Layer, LayerWeights};
use crate::ops::cached_attention;
use crate::ops::cpu;
use crate::ops::packed::{Into, PackedMatrix};
use crate::ops::rope::{self, Turn};
use crate::ops::{KeyValueEntries, rms_norm, swiglu};
use crate::threads;

/// A thread takes this many rows at most: what they become in a wide feed-forward part stays near.
const MOST_ROWS: usize = 48;
/// With fewer rows for each thread than this, outputs are shared out instead, if the weights are large.
const FEWEST_ROWS: usize = 10;
/// Weights of a layer that a core keeps near; reading them once for every thread costs nothing.
const NEAR_WEIGHTS: usize = 1 << 17;

/// The weights of a layer.
pub(super) struct Packed {
    input_norm: Vec<f32>,
    query: PackedMatrix,
    key_value: PackedMatrix,
    output: PackedMatrix,
    feed_forward_norm: Vec<f32>,
    gate_up: PackedMatrix,
    down: PackedMatrix,
}

/// How many rows a thread takes, and whether the outputs of their products are shared out.
struct Division {
    rows: usize,
    outputs: bool,
}

impl Packed {
    /// The layer's weights, laid out on first use.
    pub fn of(layer: &Layer) -> Result<&Self> {
        if let Some(packed) = layer.packed.get() {
            return Ok(packed);
        }
        let (d_model, d_ff) = (layer.d_model, layer.d_ff);
        let LayerWeights { input_norm, query_key_value, output, feed_forward_norm, gate_up, down } = &layer.weights;
        let operands = [input_norm, query_key_value, output, feed_forward_norm, gate_up, down];
        let packed =
            cpu::with_all::<f32, _, 6>(operands, |[input_norm, qkv, output, feed_forward_norm, gate_up, down]| {
                let (query, key_value) = qkv.split_at(d_model * d_model);
                Ok(Self {
                    input_norm: input_norm.to_vec(),
                    query: PackedMatrix::new(query, d_model),
                    key_value: PackedMatrix::new(key_value, d_model),
                    output: PackedMatrix::new(output, d_model),
                    feed_forward_norm: feed_forward_norm.to_vec(),
                    gate_up: PackedMatrix::new(gate_up, d_model),
                    down: PackedMatrix::new(down, d_ff),
                })
            })?;
        Ok(layer.packed.get_or_init(|| packed))
    }

    /// Keys and values side by side of `states` at `positions`.
    pub fn keys_values(&self, layer: &Layer, states: &[f32], positions: &[u32]) -> Vec<f32> {
        let (d_model, epsilon) = (layer.d_model, layer.epsilon as f32);
        let rotation = layer.rope.rotation(positions);
        let mut result = vec![0.0; 2 * states.len()];
        let division = self.division(layer, positions.len());
        let results = result.chunks_mut(division.rows * 2 * d_model);
        let parts = results.zip(states.chunks(division.rows * d_model)).zip(positions.chunks(division.rows));
        threads::for_each(
            parts.collect(),
            #[inline(always)]
            |((result, states), positions): ((&mut [f32], &[f32]), &[u32])| {
                let normed = rms_norm::forward(states, &self.input_norm, epsilon);
                self.key_value.multiply(&normed, result, Into::Replaced, division.outputs);
                rope::rotate(result, (2 * d_model, d_model), positions, &rotation, Turn::Forward);
            },
        );
        result
    }

    /// The layer's result for `states` at `positions`, over the entries that each of them sees.
    pub fn attend(
        &self,
        layer: &Layer,
        states: &[f32],
        positions: &[u32],
        entries: &KeyValueEntries,
        seen: &[&[u32]],
    ) -> Result<Vec<f32>> {
        let (d_model, epsilon) = (layer.d_model, layer.epsilon as f32);
        let rows = cached_attention::rows_of(entries)?;
        let rotation = layer.rope.rotation(positions);
        let mut result = states.to_vec();
        let division = self.division(layer, positions.len());
        let chunks = result.chunks_mut(division.rows * d_model).zip(positions.chunks(division.rows));
        let parts: Vec<Part> = chunks
            .zip(seen.chunks(division.rows))
            .map(|((states, positions), seen)| Part { states, positions, seen })
            .collect();
        threads::for_each(
            parts,
            #[inline(always)]
            |Part { states, positions, seen }| {
                let divided = division.outputs;
                let normed = rms_norm::forward(states, &self.input_norm, epsilon);
                let mut query = vec![0.0; states.len()];
                self.query.multiply(&normed, &mut query, Into::Replaced, divided);
                rope::rotate(&mut query, (d_model, d_model), positions, &rotation, Turn::Forward);
                let attended = cached_attention::attend(&query, rows, entries, seen);
                self.output.multiply(&attended, states, Into::Added, divided);
                let normed = rms_norm::forward(states, &self.feed_forward_norm, epsilon);
                let mut gate_up = vec![0.0; positions.len() * self.gate_up.outputs()];
                self.gate_up.multiply(&normed, &mut gate_up, Into::Replaced, divided);
                let hidden = swiglu::forward(&gate_up, layer.d_ff);
                self.down.multiply(&hidden, states, Into::Added, divided);
            },
        );
        Ok(result)
    }

    fn division(&self, layer: &Layer, rows: usize) -> Division {
        let threads = rayon::current_num_threads();
        let share = rows.div_ceil(threads).max(1);
        let weights = layer.d_model * (4 * layer.d_model + 3 * layer.d_ff);
        if threads > 1 && share < FEWEST_ROWS && weights > NEAR_WEIGHTS {
            return Division { rows: rows.max(1), outputs: true };
        }
        // A share of the rows for every thread, in as many equal parts as it takes.
        let parts = share.div_ceil(MOST_ROWS);
        Division { rows: share.div_ceil(parts), outputs: false }
    }
}

/// Rows that one thread takes through the layer.
struct Part<'a> {
    states: &'a mut [f32],
    positions: &'a [u32],
    seen: &'a [&'a [u32]],
}
