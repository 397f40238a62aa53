//! Gradients of copied keys and values, which wait for the step that computed them.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Result;

use crate::cpu::Real;
use crate::sums::Complete;

/// For every row, the sum over later steps of the gradients of its keys and values, before the rotation of the keys. A
/// halted row has the same keys and values in all these steps, so the sum needs only one product for the weights'
/// gradient.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Option<Box<dyn Any + Send>>>);

impl Waiting {
    /// Calls `work` with the sums, `length` numbers; with an empty slice if nothing waits and `begin` is false.
    pub fn with<T: Real, R>(&self, length: usize, begin: bool, work: impl FnOnce(&mut [T]) -> R) -> R {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sums.is_none() && begin {
            *sums = Some(Box::new(vec![T::zero(); length]));
        }
        // A graph has one type, so this is a vector of T.
        let found = sums.as_mut().and_then(|sums| sums.downcast_mut::<Vec<T>>());
        work(found.map_or(&mut [], Vec::as_mut_slice))
    }
}

impl Complete for Arc<Waiting> {
    /// Reports a gradient that still waits for the step that computed its keys and values; drops the sums.
    fn check<T: Real>(&self) -> Result<()> {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sums = sums.and_then(|sums| sums.downcast::<Vec<T>>().ok());
        if sums.is_some_and(|sums| sums.iter().any(|sum| *sum != T::zero())) {
            candle_core::bail!("layer: known keys and values are not those of an earlier step of the same graph");
        }
        Ok(())
    }
}
