//! Gradients of weights, summed in place over the uses of a layer.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::waiting::Waiting;
use crate::ops::cpu::{self, Real, dispatch};

/// A sum for each weight of a layer, made when the first use asks for it.
#[derive(Default)]
pub(super) struct Sums(Mutex<[Option<Box<dyn Any + Send>>; 6]>);

impl Sums {
    /// Calls `add` with the sums of weights of these lengths. What is of no interest has the length 0.
    pub fn add<T: Real>(&self, lengths: [usize; 6], add: impl FnOnce([&mut [T]; 6])) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lengths = lengths.into_iter();
        add(sums.each_mut().map(|sum| -> &mut [T] {
            let length = lengths.next().unwrap_or(0);
            if length == 0 {
                return &mut [];
            }
            let sum = sum.get_or_insert_with(|| Box::new(vec![T::zero(); length]));
            // A graph has one type, so this is a vector of T.
            sum.downcast_mut::<Vec<T>>().map_or(&mut [], Vec::as_mut_slice)
        }));
    }

    fn take<T: Real>(&self, which: usize, length: usize) -> Vec<T> {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner)[which].take();
        match sum.map(|sum| sum.downcast::<Vec<T>>()) {
            Some(Ok(sum)) => *sum,
            _ => vec![T::zero(); length],
        }
    }
}

/// Three weights become one number, 0, that every use of the layer depends on. candle visits a node only after all
/// that depend on it, so when the gradient of this number is asked for, the sums are complete.
pub(super) struct Collect {
    pub sums: Arc<Sums>,
    pub waiting: Arc<Waiting>,
    pub first: usize,
}

impl CustomOp3 for Collect {
    fn name(&self) -> &'static str {
        "layer-weights"
    }

    fn cpu_fwd(
        &self,
        weight: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!("layer-weights", weight.dtype(), T => Ok(cpu::stored(vec![0 as T], 1)))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!("layer-weights", a.dtype(), T => {
            if self.waiting.ends_with_some::<T>() {
                candle_core::bail!("layer: known keys and values are not those of an earlier step of the same graph");
            }
            let sum = |offset: usize, weight: &Tensor| {
                cpu::gradient(self.sums.take::<T>(self.first + offset, weight.elem_count()), weight)
            };
            Ok((sum(0, a)?, sum(1, b)?, sum(2, c)?))
        })
    }
}
