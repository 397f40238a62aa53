//! The matrices of a layer, packed for the products of one graph.

use std::any::Any;
use std::sync::OnceLock;

use candle_core::{Result, Tensor};

use super::Layer;
use crate::cpu::{self, Real};
use crate::product::Panels;
use crate::threads;

/// The products that matrices are packed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From inputs to outputs, x wᵀ.
    Forward,
    /// From gradients by outputs to gradients by inputs, y w.
    Backward,
}

/// A layer's packed matrices.
pub(super) struct Matrices<T> {
    pub query: Panels<T>,
    pub keys_values: Panels<T>,
    pub output: Panels<T>,
    pub gate_up: Panels<T>,
    pub down: Panels<T>,
}

/// The matrices for each [`Way`], packed on first use: weights do not change within a graph.
#[derive(Default)]
pub(super) struct PackedWeights([OnceLock<Box<dyn Any + Send + Sync>>; 2]);

impl Layer {
    /// The matrices for one way.
    pub fn matrices<T: Real>(&self, way: Way) -> Result<&Matrices<T>> {
        let PackedWeights([forward, backward]) = &self.packed;
        let cell = if way == Way::Forward { forward } else { backward };
        let matrices = match cell.get() {
            Some(matrices) => matrices,
            None => {
                let made = self.pack::<T>(way)?;
                cell.get_or_init(|| Box::new(made))
            }
        };
        match matrices.downcast_ref() {
            Some(matrices) => Ok(matrices),
            None => candle_core::bail!("layer: states are not of the type of the weights"),
        }
    }

    fn pack<T: Real>(&self, way: Way) -> Result<Matrices<T>> {
        let (weights, square) = (&self.weights, self.d_model * self.d_model);
        let operands: [&Tensor; 4] = [&weights.query_key_value, &weights.output, &weights.gate_up, &weights.down];
        cpu::with_all::<T, _, 4>(operands, |[query_key_value, output, gate_up, down]| {
            let (query, keys_values) = query_key_value.split_at(square);
            let mut made = [query, keys_values, output, gate_up, down].map(|weight| (weight, None));
            threads::for_each(made.iter_mut().enumerate().collect(), |(number, (weight, made))| {
                let inputs = if number == 4 { self.d_ff } else { self.d_model };
                *made = Some(match way {
                    Way::Forward => Panels::of_transposed(weight, inputs),
                    Way::Backward => Panels::of(weight, inputs),
                });
            });
            match made.map(|(_, made)| made) {
                [Some(query), Some(keys_values), Some(output), Some(gate_up), Some(down)] => {
                    Ok(Matrices { query, keys_values, output, gate_up, down })
                }
                _ => candle_core::bail!("layer: a weight was not laid out"),
            }
        })
    }
}
