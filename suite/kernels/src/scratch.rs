//! Temporary memory of a thread.
//!
//! Memory that is kept until the backward pass was last used one step ago, so it is not in the cache. A product that
//! writes a few numbers of each row there at a time waits for every write; computing in memory that is still in the
//! core's cache and then copying the results at once is much faster.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

use super::lines::{Lines, Number};

/// Memory that a thread reuses.
pub(super) type Pool<T> = LocalKey<RefCell<Vec<Lines<T>>>>;

/// Types that every thread has a pool for.
pub(super) trait Pooled: Number + 'static {
    /// This thread's pool.
    fn pool() -> &'static Pool<Self>;
}

impl Pooled for f32 {
    fn pool() -> &'static Pool<Self> {
        thread_local!(static POOL: RefCell<Vec<Lines<f32>>> = const { RefCell::new(Vec::new()) });
        &POOL
    }
}

impl Pooled for f64 {
    fn pool() -> &'static Pool<Self> {
        thread_local!(static POOL: RefCell<Vec<Lines<f64>>> = const { RefCell::new(Vec::new()) });
        &POOL
    }
}

/// Temporary numbers; their memory returns to the thread's pool.
pub(super) struct Scratch<T: Pooled> {
    memory: Lines<T>,
    length: usize,
}

impl<T: Pooled> Scratch<T> {
    /// `length` numbers with arbitrary values.
    pub fn of(length: usize) -> Self {
        let mut memory = T::pool().with_borrow_mut(|pool| {
            // The smallest that suffices, or else the largest, which grows.
            let fitting = pool.iter().enumerate().filter(|(_, memory)| memory.len() >= length);
            let place = fitting.min_by_key(|(_, memory)| memory.len()).map(|(place, _)| place);
            let place = place.or_else(|| (0..pool.len()).max_by_key(|place| pool[*place].len()));
            place.map(|place| pool.swap_remove(place)).unwrap_or_default()
        });
        if memory.len() < length {
            memory = Lines::zeros(length);
        }
        Self { memory, length }
    }

    /// A copy of `values`.
    pub fn copy(values: &[T]) -> Self {
        let mut copy = Self::of(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

impl<T: Pooled> Deref for Scratch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[..self.length]
    }
}

impl<T: Pooled> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[..self.length]
    }
}

impl<T: Pooled> Drop for Scratch<T> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        // If the thread is ending, its pool is gone, and the memory is freed.
        let _ = T::pool().try_with(|pool| pool.borrow_mut().push(memory));
    }
}

#[cfg(test)]
mod tests {
    use super::Scratch;

    #[test]
    fn memory_is_used_again_and_never_shared() {
        let first = Scratch::<f64>::copy(&[1.0, 2.0, 3.0]);
        let address = first.as_ptr();
        let mut second = Scratch::<f64>::of(2);
        second.fill(7.0);
        assert_eq!(*first, [1.0, 2.0, 3.0]);
        drop(first);
        let third = Scratch::<f64>::of(3);
        assert_eq!((third.as_ptr(), third.len()), (address, 3));
        // Neither is large enough: the larger one grows.
        assert_eq!(Scratch::<f64>::of(100).len(), 100);
    }
}
