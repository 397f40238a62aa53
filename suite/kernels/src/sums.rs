//! Gradients of weights, summed in place over the parts of a batch and over the uses of the weights in one graph.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::cpu::{self, Real, dispatch};

/// A sum for each of `N` weights, allocated on first use.
pub(super) struct Sums<const N: usize>(Mutex<[Option<Box<dyn Any + Send>>; N]>);

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self(Mutex::new([const { None }; N]))
    }
}

impl<const N: usize> Sums<N> {
    /// Calls `add` with the sums of weights of these lengths; use length 0 for weights that are not needed.
    pub fn add<T: Real>(&self, lengths: [usize; N], add: impl FnOnce([&mut [T]; N])) {
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

/// A check of complete sums.
pub(super) trait Complete: Clone + Send + Sync {
    /// Refuses incomplete sums.
    fn check<T: Real>(&self) -> Result<()>;
}

/// Nothing can be missing.
impl Complete for () {
    fn check<T: Real>(&self) -> Result<()> {
        Ok(())
    }
}

/// A token: the number 0, which depends on all weights. Every use of the weights takes it as an operand. candle visits
/// a node only after all nodes that depend on it, so when it asks for the token's gradient, the sums are complete.
pub(super) fn token<const N: usize>(
    weights: [&Tensor; N],
    sums: &Arc<Sums<N>>,
    complete: &(impl Complete + 'static),
) -> Result<Tensor> {
    // One copy of a weight, even if it occurs several times: candle expects a gradient for every operand.
    let weights = weights.into_iter().map(Tensor::contiguous).collect::<Result<Vec<Tensor>>>()?;
    let mut token = None;
    for first in (0..N).step_by(3) {
        let (sums, complete) = (sums.clone(), complete.clone());
        let [a, b, c] = [0, 1, 2].map(|offset| &weights[(first + offset).min(N - 1)]);
        let collected = a.apply_op3(b, c, Collect { sums, complete, first })?;
        token = Some(match token {
            Some(token) => (token + collected)?,
            None => collected,
        });
    }
    match token {
        Some(token) => Ok(token),
        None => candle_core::bail!("weights: there are none"),
    }
}

/// Combines three weights, from index `first` on, into one number. If fewer are left, the last one is repeated.
struct Collect<const N: usize, C> {
    sums: Arc<Sums<N>>,
    complete: C,
    first: usize,
}

impl<const N: usize, C: Complete> CustomOp3 for Collect<N, C> {
    fn name(&self) -> &'static str {
        "weights"
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
        dispatch!("weights", weight.dtype(), T => Ok(cpu::stored(vec![0 as T], 1)))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!("weights", a.dtype(), T => {
            self.complete.check::<T>()?;
            let sum = |offset: usize, weight: &Tensor| match self.first + offset {
                which if which < N => cpu::gradient(self.sums.take::<T>(which, weight.elem_count()), weight),
                _ => Ok(None),
            };
            Ok((sum(0, a)?, sum(1, b)?, sum(2, c)?))
        })
    }
}
